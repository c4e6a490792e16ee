// Nodes of a mesh in one process, on a network that loses, repeats, delays and parts, in a time that only the
// simulation moves. WireGuard is played by the least that the mesh can notice of it: handshakes that succeed or do not,
// sessions, and counters of bytes. Everything comes from one seed.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "mesh.hpp"
#include "mesh_scene.hpp"

namespace thole::mesh {

class Simulation;

/// An instant in half of the room, good for 24 days.
class Moment {
   public:
    Moment() = default;
    // NOLINTNEXTLINE(google-explicit-constructor): it is an instant, only smaller
    Moment(Instant when) : milliseconds_(static_cast<std::int32_t>(when.milliseconds)) {}
    [[nodiscard]] Instant when() const { return {milliseconds_}; }
    [[nodiscard]] bool never() const { return milliseconds_ < 0; }

   private:
    std::int32_t milliseconds_ = -1'000'000;
};

/// One node's half of a tunnel: 44 bytes, of which a mesh of 5,000 nodes has 25 million.
struct SimulatedTunnel {
    Endpoint endpoint;
    bool session = false;
    bool changed = false;
    bool unanswered = false;  // since something was sent nothing came
    bool initiated = false;   // an answer to this node's own initiation would be taken
    Moment handshake;
    Moment last_initiation;
    Moment heard;  // for NAT: when something was last sent there
    std::uint32_t sent = 0;
    std::uint32_t received = 0;
};

struct SimulatedCounts {
    std::uint64_t inside = 0;
    std::uint64_t inside_bytes = 0;
    std::uint64_t outside = 0;
    std::uint64_t handshakes = 0;
};

class SimulatedNode : public World {
   public:
    SimulatedNode(Simulation& all, std::size_t number) : simulation(all), index(number) {}

    void send_outside(const Endpoint& to, Bytes datagram) override;
    void send_inside(const PublicKey& to, Bytes message) override;
    void on_peer_changed(const PublicKey& /*key*/) override { ++peer_changes; }
    void on_addresses_changed() override { ++address_changes; }
    void try_endpoint(const PublicKey& key, const Endpoint& endpoint) override;
    void save(const NodeState& state) override { settings.state = state; }
    void on_secret(const ClusterSecret& fresh, const SecretVersion& version) override {
        secret = fresh.bytes()[0];
        settings.secret = version;
    }
    void fill_random(std::span<std::uint8_t> bytes) override;
    std::uint64_t seconds_since_1970() override;

    [[nodiscard]] bool up() const { return mesh != nullptr; }
    /// The half of the tunnel to another.
    SimulatedTunnel& tunnel(const SimulatedNode& other);
    /// Something came through it.
    static void note_received(SimulatedTunnel& tunnel, std::size_t bytes);

    Simulation& simulation;
    std::size_t index;
    Settings settings;
    std::uint8_t secret = 1;
    std::unique_ptr<Mesh> mesh;
    std::vector<SimulatedTunnel> tunnels;  // by the other's index, from the node's start on
    Endpoint public_wireguard;             // where others see it
    Endpoint public_hello;
    bool nat = false;
    int part = 0;  // nodes of different parts do not hear each other
    std::int64_t skew = 0;
    SimulatedCounts counts;
    std::size_t peer_changes = 0;
    std::size_t address_changes = 0;
    Instant ticking{-1};  // when a tick is in the queue for
};

class Simulation {
   public:
    explicit Simulation(std::uint64_t seed, Network range = *parse_network("10.41.0.0/16"));

    /// Adds a node, not started, with the keys and addresses of its number. Seeds are nodes' numbers.
    SimulatedNode& add(const std::vector<std::size_t>& seeds, bool nat = false);
    void start(std::size_t index);
    void stop(std::size_t index) { nodes[index]->mesh.reset(); }

    /// Lets time pass.
    void run(milliseconds time);
    /// Lets time pass until all nodes agree, at most so long; the time that it took, or nothing.
    std::optional<milliseconds> run_until_converged(milliseconds most);
    std::optional<milliseconds> run_until(const std::function<bool()>& holds, milliseconds most);

    /// All nodes that are up know the same, among them each other; each has its address, and all agree on whose it is.
    [[nodiscard]] bool converged() const;

    std::uint64_t random();
    std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(random() % limit); }

    /// A datagram from anywhere to a node's bootstrap port.
    void throw_at(std::size_t index, const Endpoint& from, Bytes datagram);

    std::vector<std::unique_ptr<SimulatedNode>> nodes;
    Instant now{1'000'000};
    std::uint32_t loss = 0;                                                              // per cent
    std::uint32_t twice = 0;                                                             // per cent
    milliseconds delay{40};                                                              // at most
    std::function<void(std::size_t to, const Endpoint& from, Bytes datagram)> listener;  // hears all outside

   private:
    friend class SimulatedNode;

    struct Event {
        Instant when;
        std::uint64_t order;
        std::function<void()> happens;
    };
    struct Later {
        bool operator()(const Event& left, const Event& right) const {
            return left.when != right.when ? left.when > right.when : left.order > right.order;
        }
    };

    void at(Instant when, std::function<void()> happens);
    void schedule(SimulatedNode& node);
    void poll(std::size_t index);
    /// Sends something over the network: now and then never, or twice.
    void carry(const SimulatedNode& from, SimulatedNode& to, const std::function<void()>& arrives);
    void initiate(SimulatedNode& from, SimulatedNode& to, const Endpoint& endpoint);
    void complete(SimulatedNode& node, const SimulatedNode& other, const Endpoint& seen);
    SimulatedNode* by_key(const PublicKey& key);

    std::uint64_t state_;
    Ranges ranges_;
    std::uint64_t order_ = 0;
    std::vector<Event> events_;  // a heap: the next one first
    std::unordered_map<std::uint64_t, std::size_t> by_key_;
    std::map<std::string, std::size_t> by_endpoint_;
};

}  // namespace thole::mesh
