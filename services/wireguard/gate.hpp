// What stands before the bootstrap port: how often one source may ask, what was heard before, and whether who speaks is
// there now. All of it in memory that strangers cannot make grow.
#pragma once

#include "hello.hpp"

namespace thole::mesh {

class Gate {
   public:
    /// `random` decides which sources share a place, and makes the challenges; nobody else knows it.
    explicit Gate(const Block& random);

    /// Whether a datagram from this source is worth a look: 20 at once, 10 a second on the long run. Sources are IPv4
    /// addresses and IPv6 networks of 64 bits; some share a place.
    bool admits(const Endpoint& from, Instant now);

    /// Whether this is later than all that was heard of the key in the last ten minutes; if so, it is remembered. A
    /// newer key in its place may push the memory out: then the challenge still stands.
    bool is_new(const PublicKey& key, std::uint32_t epoch, std::uint32_t counter, Instant now);

    /// What the node at this address has to give back. It holds for half a minute at least.
    [[nodiscard]] Challenge challenge(const Endpoint& from, Instant now) const;
    [[nodiscard]] bool answers(const Challenge& echo, const Endpoint& from, Instant now) const;

   private:
    static constexpr std::size_t kPlaces = 1024;
    static constexpr std::size_t kWays = 4;

    struct Heard {
        std::uint64_t key = 0;
        std::uint32_t epoch = 0;
        std::uint32_t counter = 0;
        Instant when;
    };

    [[nodiscard]] std::size_t place_of(std::uint64_t number) const;
    [[nodiscard]] Challenge challenge_in(std::int64_t period, const Endpoint& from) const;

    Secret secret_;
    std::uint64_t spread_;
    std::array<Instant, kPlaces> busy_until_{};
    std::array<Heard, kPlaces> heard_{};
};

}  // namespace thole::mesh
