// Which of a peer's endpoints WireGuard sends to. A path that works is never left for another; one that does not is
// looked for among all endpoints, in turn and for ever. Little memory a peer, and never more than for eight endpoints.
//
//   searching ── a handshake ──▶ working ── 15 s without an answer, or an endpoint that may not be ──▶ searching
//
// WireGuard answers data within 10 s, if only by a keepalive, so 15 s of sending into silence mean that nobody is there
// (its own timers KEEPALIVE_TIMEOUT and REKEY_TIMEOUT add up to the same). A keepalive itself has no answer. A tunnel
// that nobody uses is silent, and well.
//
// Two nodes that hear of each other try at the same time, and WireGuard has one handshake at a time with a peer: where
// two initiations cross, each side drops its own for the other's, none is completed, and the next come five seconds
// later. So one of the two gives way for a second.
#pragma once

#include <memory>
#include <optional>
#include <span>

#include "members.hpp"

namespace thole::mesh {

/// What the kernel says of a peer.
struct PathStatus {
    std::optional<Instant> handshake;  // the last one
    Endpoint endpoint;                 // where packets go; the kernel follows a peer that roams
    std::uint64_t sent = 0;            // bytes
    std::uint64_t received = 0;
};

/// Endpoints that are never used: those in the mesh itself, as that would be a tunnel in the tunnel, this node's own,
/// and link-local ones, which mean nothing without their interface.
struct Forbidden {
    const Ranges& ranges;
    std::span<const KnownEndpoint> own;

    [[nodiscard]] bool forbids(const Endpoint& endpoint) const;
};

class Paths {
   public:
    /// `gives_way`: of the two nodes this is the one that lets the other try first.
    explicit Paths(bool gives_way = false) : gives_way_(gives_way) {}

    /// What the peer's record says of its endpoints.
    void set_known(std::span<const KnownEndpoint> known, const Forbidden& forbidden, Instant now);

    /// What somebody else said, or this node saw: the last two are kept.
    void add_observed(const Endpoint& endpoint, const Forbidden& forbidden, Instant now);

    /// Takes in what the kernel says. True where a handshake ended the search.
    bool on_status(const PathStatus& status, const Forbidden& forbidden, Instant now);

    /// The endpoint that is to be tried now, by setting it and sending something.
    std::optional<Endpoint> tick(Instant now, std::uint32_t random);

    /// The network changed: search as if from the beginning.
    void hurry(Instant now, milliseconds within);

    [[nodiscard]] bool working() const { return working_; }

    /// All endpoints were tried in vain since the last time somebody asked this.
    bool needs_help();

    /// Where packets go: what works, or what is tried now.
    [[nodiscard]] const std::optional<Endpoint>& current() const { return current_; }
    /// kNever: there was none.
    [[nodiscard]] Instant last_handshake() const { return last_handshake_; }
    /// When tick() has something to do; kNever while the path works.
    [[nodiscard]] Instant next_try() const { return working_ ? kNever : next_try_; }

   private:
    static constexpr std::size_t kMostObserved = 2;
    static constexpr std::size_t kMost = kMostEndpoints + kMostObserved;

    void search(Instant now);
    [[nodiscard]] milliseconds way_given() const;
    [[nodiscard]] std::span<KnownEndpoint> list() const { return {list_.get(), count_}; }
    [[nodiscard]] bool lists(const Endpoint& endpoint) const;
    void add(const KnownEndpoint& endpoint);
    void remove(std::size_t index);
    void note_traffic(const PathStatus& status, Instant now);

    std::unique_ptr<KnownEndpoint[]> list_;  // fixed, observed, local
    std::uint8_t count_ = 0;
    std::uint8_t next_ = 0;  // in the list; the one behind its end is what worked last
    bool working_ = false;
    bool help_ = false;
    bool gives_way_;
    std::optional<Endpoint> current_;
    std::optional<Endpoint> last_good_;
    Instant last_handshake_ = kNever;
    Instant unanswered_since_ = kNever;
    std::uint64_t sent_ = 0;
    std::uint64_t received_ = 0;
    Instant searching_since_;
    Instant next_try_ = kNever;
};

}  // namespace thole::mesh
