// One connection of the balancer: bytes go both ways between two sockets until both ends have said all.
#pragma once

#include <array>
#include <cstdint>
#include <functional>

#include "os/event_loop.hpp"
#include "os/fd.hpp"

namespace thole::kubernetes {

/// Both sockets are connected and do not block. Where one end has closed its side, so is the other's, when all has
/// been passed on; an error of either end ends both.
class Tunnel {
   public:
    /// `on_end` is called once, from within the loop; the tunnel may be destroyed only after that call has returned.
    Tunnel(EventLoop& loop, Fd left, Fd right, std::function<void()> on_end);
    ~Tunnel();
    Tunnel(const Tunnel&) = delete;
    Tunnel& operator=(const Tunnel&) = delete;
    Tunnel(Tunnel&&) = delete;
    Tunnel& operator=(Tunnel&&) = delete;

    Status start();
    [[nodiscard]] bool ended() const { return ended_; }

   private:
    static constexpr std::size_t kRoom = 16'384;

    /// One end, and what it has said that the other has not taken yet.
    struct End : EventSource {
        explicit End(Tunnel& owner) : tunnel(owner) {}
        void on_events(std::uint32_t events) override { tunnel.pass(events); }

        Tunnel& tunnel;
        Fd socket;
        std::array<char, kRoom> said{};
        std::size_t first = 0;
        std::size_t last = 0;
        bool finished = false;  // it will say no more
        bool told = false;      // and the other end knows
    };

    void pass(std::uint32_t events);
    static bool pass_from(End& from, End& to);
    void watch(End& end, const End& other);
    void stop();

    EventLoop& loop_;
    End left_{*this};
    End right_{*this};
    std::function<void()> on_end_;
    bool ended_ = false;
};

}  // namespace thole::kubernetes
