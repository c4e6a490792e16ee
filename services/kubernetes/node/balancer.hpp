// The way from an agent to the API server, whichever server answers: a port on loopback whose connections are passed on
// to one of the cluster's servers. The server that took the last one is asked first, the others in turn.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "config/address.hpp"
#include "os/clock.hpp"
#include "os/event_loop.hpp"
#include "os/fd.hpp"
#include "tunnel.hpp"

namespace thole::kubernetes {

inline constexpr std::uint16_t kBalancerPort = 6444;
inline constexpr std::uint16_t kApiPort = 6443;

class Balancer : private EventSource {
   public:
    /// Listens on 127.0.0.1. `server_port` is that of every server.
    static Result<std::unique_ptr<Balancer>> make(EventLoop& loop, std::uint16_t port, std::uint16_t server_port);
    ~Balancer() override;
    Balancer(const Balancer&) = delete;
    Balancer& operator=(const Balancer&) = delete;
    Balancer(Balancer&&) = delete;
    Balancer& operator=(Balancer&&) = delete;

    /// Connections that are there go on.
    void set_servers(std::vector<Address> servers) { servers_ = std::move(servers); }

    /// Gives up servers that have not answered in time, and drops connections that have ended. To be called after each
    /// event of the loop.
    void tick(Instant time);
    [[nodiscard]] std::optional<Instant> next_deadline() const;

    [[nodiscard]] std::uint16_t port() const { return port_; }
    [[nodiscard]] std::size_t connections() const { return calls_.size(); }

   private:
    /// A client, and the server that is asked for it, until the server has answered; then a tunnel between them.
    struct Call : EventSource {
        explicit Call(Balancer& owner) : balancer(owner) {}
        void on_events(std::uint32_t /*events*/) override { balancer.on_answer(*this); }

        Balancer& balancer;
        Fd client;
        Fd server;
        std::size_t asked = 0;  // servers
        std::size_t which = 0;
        Instant until;
        std::unique_ptr<Tunnel> tunnel;
        bool over = false;
    };

    Balancer(EventLoop& loop, Fd listener, std::uint16_t port, std::uint16_t server_port)
        : loop_(loop), listener_(std::move(listener)), port_(port), server_port_(server_port) {}

    void on_events(std::uint32_t events) override;
    void ask_next(Call& call);
    bool ask(Call& call, const Address& server);
    void on_answer(Call& call);
    void hang_up(Call& call);

    EventLoop& loop_;
    Fd listener_;
    std::uint16_t port_;
    std::uint16_t server_port_;
    std::vector<Address> servers_;
    std::vector<std::unique_ptr<Call>> calls_;
    std::size_t preferred_ = 0;
};

}  // namespace thole::kubernetes
