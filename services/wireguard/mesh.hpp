// The heart of the mesh daemon: hears datagrams, the kernel's word about peers, and the time; says what to send and how
// WireGuard is to be set up. It makes no system call. The process around it reads sockets and netlink, and does what
// World says.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "gate.hpp"
#include "gossip.hpp"
#include "identity.hpp"
#include "paths.hpp"

namespace thole::mesh {

inline constexpr std::size_t kMostSeeds = 8;
/// Nodes that have said hello and whose record is not there yet.
inline constexpr std::size_t kMostCandidates = 64;

struct Settings {
    PublicKey key;
    Ranges ranges;
    std::string name;
    std::string roles;
    std::uint16_t port = 51871;  // WireGuard's
    std::vector<Network> pods;
    std::vector<KnownEndpoint> endpoints;  // fixed and local ones
    std::optional<Address> fixed_ipv4;
    std::vector<Endpoint> seeds;  // bootstrap ports of other nodes; unicast, broadcast or multicast
    NodeState state;              // of begin_epoch()
    SecretVersion secret;         // of the cluster's secret
    Block random{};               // of getrandom(2)
};

/// How long the secret before lets nodes in.
inline constexpr milliseconds kSecretGrace = hours(24);

class World {
   public:
    virtual ~World() = default;
    virtual void send_outside(const Endpoint& to, Bytes datagram) = 0;
    virtual void send_inside(const PublicKey& to, Bytes message) = 0;
    /// A peer is new, gone, or to be set up in another way: see Mesh::wanted().
    virtual void on_peer_changed(const PublicKey& key) = 0;
    /// Some peers' allowed IPs are others than before.
    virtual void on_addresses_changed() = 0;
    /// The peer's endpoint is to be this one, and something is to be sent to it, so that WireGuard tries it.
    virtual void try_endpoint(const PublicKey& key, const Endpoint& endpoint) = 0;
    virtual void save(const NodeState& state) = 0;
    /// The cluster has another secret: it is to be kept, and the one before lets nodes in until then.
    virtual void on_secret(const ClusterSecret& secret, const SecretVersion& version) = 0;
    virtual void fill_random(std::span<std::uint8_t> bytes) = 0;
    virtual std::uint64_t seconds_since_1970() = 0;
};

/// How WireGuard is to know a peer.
struct PeerSetup {
    PublicKey key;
    std::optional<Endpoint> endpoint;  // nothing: wait for the peer
    Address ipv6;                      // allowed IPs: this one,
    std::optional<Address> ipv4;       // and this one where it is the peer's
    std::chrono::seconds keepalive{};
};

struct HelloCounts {
    std::uint64_t sent = 0;
    std::uint64_t too_many = 0;  // dropped by the limit for one source
    std::uint64_t strange = 0;   // not of this cluster
    std::uint64_t replayed = 0;
};

class Mesh : private Tunnel, private Liveness {
   public:
    Mesh(Settings settings, const ClusterSecret& secret, World& world, Instant now);

    void on_outside(const Endpoint& from, Bytes datagram, Instant now);
    void on_inside(const PublicKey& from, Bytes message, Instant now);
    void on_status(const PublicKey& key, const PathStatus& status, Instant now);
    void tick(Instant now);
    [[nodiscard]] Instant next_deadline() const;

    /// Takes in what was known before this process began: a record and the time since its node wrote it.
    void restore(Bytes record, milliseconds age, Instant now);

    /// Bootstrap ports of other nodes, in place of those before. Those that stay go on as they were.
    void set_seeds(std::span<const Endpoint> seeds, Instant now);

    /// The node's own endpoints changed; the network may be another, so seeds are asked at once.
    void set_endpoints(std::vector<KnownEndpoint> endpoints, Instant now);
    /// What services of this node want told: its roles (those of node.ini, too), and the networks of its pods.
    void set_announcement(const std::string& roles, const std::vector<Network>& pods, Instant now);
    /// Says that the node goes; some seconds later everybody has heard of it.
    void leave(Instant now);
    /// Has all nodes drop this one, for good. False where it is not known, or is this node.
    bool forget(const PublicKey& key, Instant now);
    /// Also lets those in that have this secret, for a time.
    void allow_secret(const ClusterSecret& previous, Instant until) { keys_.allow(previous, until); }
    /// Changes the cluster's secret. Nodes that can be reached have it within seconds, others when they come back.
    void rotate_secret(const ClusterSecret& secret, Instant now);

    /// Whether the peer answers.
    [[nodiscard]] bool reaches(const PublicKey& key) const;
    /// The peer's IPv6 address in the mesh; null where it is no peer.
    [[nodiscard]] const Address* address_of(const PublicKey& key) const;
    [[nodiscard]] bool is_peer(const PublicKey& key) const { return find_peer(key) != nullptr; }
    [[nodiscard]] std::size_t peer_count() const { return peers_.size(); }
    [[nodiscard]] PeerSetup wanted(std::size_t index) const;
    [[nodiscard]] std::optional<PeerSetup> wanted(const PublicKey& key) const;

    [[nodiscard]] const Members& members() const { return members_; }
    [[nodiscard]] const Member& self() const { return *members_.find(settings_.key); }
    /// This node's IPv4 address is settled: the interface may have it.
    [[nodiscard]] bool has_ipv4() const { return self().has_address; }
    /// The static address of this node is somebody else's.
    [[nodiscard]] bool refused_address() const { return refused_address_; }
    /// Somebody had this node forgotten.
    [[nodiscard]] bool forgotten() const { return forgotten_; }
    [[nodiscard]] bool behind_nat() const { return behind_nat_; }
    [[nodiscard]] std::size_t working_peers() const { return working_peers_; }
    [[nodiscard]] const GossipCounts& gossip_counts() const { return gossip_.counts(); }
    [[nodiscard]] const HelloCounts& hello_counts() const { return hello_counts_; }

   private:
    struct Peer {
        PublicKey key;
        Address ipv6;  // worked out once: it takes a hash
        Paths paths;
        Instant candidate_until = kNever;  // kNever: it is a member
    };
    struct Seed {
        Endpoint where;
        std::optional<PublicKey> key;  // who answered
        milliseconds pause{};
        Instant next;
        unsigned turn = 0;
    };

    // Tunnel, Liveness
    void send_inside(const PublicKey& to, Bytes message) override { world_.send_inside(to, message); }
    const PublicKey* any_peer() override;
    const PublicKey* next_peer() override;
    bool admits(const RecordHead& head, Bytes content) override;
    void on_record(const Member& member) override;
    void on_agreement() override { agreed_ = true; }
    std::uint32_t random() override;
    bool alive(const PublicKey& key) override { return key == settings_.key || reaches(key); }

    // mesh_secret.cpp: the cluster's secret, when it changes
    void take_secret(const ClusterSecret& secret, const SecretVersion& version, Instant now);
    void ask_for_secret();
    void tell_secret(const PublicKey& to);
    void on_secret_message(const PublicKey& from, Reader& in, Instant now);

    // mesh_claim.cpp: this node's own record
    void publish(Instant now);
    void tick_claim(Instant now);
    void lose_claim(Instant now);
    void settle(Instant now);
    [[nodiscard]] bool may_settle(Instant now) const;

    /// Something happened: what follows from it is done soon.
    void stir();
    [[nodiscard]] Instant next_work(Instant now) const;

    // mesh_hello.cpp: outside the tunnel
    void tick_seeds(Instant now);
    void send_hello(const Endpoint& to, HelloKind kind, const Challenge& echo, std::size_t which, Instant now);
    [[nodiscard]] bool is_fresh(const Hello& hello, const Endpoint& from, Instant now) const;
    void meet(const Hello& hello, const Endpoint& from, Instant now);
    void note_seen(const Endpoint& seen);

    // mesh_peers.cpp
    [[nodiscard]] std::size_t position(const PublicKey& key) const;
    [[nodiscard]] Peer* find_peer(const PublicKey& key) const;
    Peer& add_peer(const PublicKey& key);
    void remove_peer(const PublicKey& key);
    void drop_expired();
    void drop_candidates(Instant now);
    /// The peer's path is, or may be, to be searched for earlier than was thought.
    void search_soon(const Peer& peer);
    void search_peers(Instant now);
    void tick_peers(Instant now);
    void ask_for_help();
    bool on_ask(const PublicKey& from, Reader& in, Instant now);
    bool on_observed(Reader& in, Instant now);
    void tell_observed(const PublicKey& to, const Peer& about, Instant now);
    [[nodiscard]] PeerSetup wanted_of(const Peer& peer) const;
    [[nodiscard]] Forbidden forbidden() const { return {settings_.ranges, settings_.endpoints}; }

    Settings settings_;
    World& world_;
    Instant now_;  // of the call that goes on, for what other parts ask back
    ClusterSecret secret_;
    HelloKeys keys_;
    Gate gate_;
    Members members_;
    Gossip gossip_;
    std::vector<std::unique_ptr<Peer>> peers_;  // by their keys' order
    std::vector<Seed> seeds_;
    HelloCounts hello_counts_;
    std::size_t candidates_ = 0;
    std::size_t cursor_ = 0;  // the peer that next_peer() gave last
    std::size_t turn_ = 0;    // the peer that tick_peers() begins with
    std::size_t working_peers_ = 0;
    std::uint64_t address_changes_ = 0;  // those that the world was told of
    std::uint32_t hello_counter_ = 0;
    SecretVersion newest_secret_;  // that any member had
    NodeState state_;
    Version version_;
    Instant claimed_;  // when the address was chosen
    Instant next_renewal_;
    Instant next_upkeep_;
    Instant next_help_;
    Instant next_greeting_;
    Instant next_hurry_;
    Instant next_tick_;
    Instant next_search_ = kNever;  // when an endpoint is to be tried, or earlier
    bool agreed_ = false;           // since then some peer knew no more than this node
    bool answer_back_ = false;
    bool left_ = false;
    bool forgotten_ = false;
    bool refused_address_ = false;
    bool behind_nat_ = false;
};

}  // namespace thole::mesh
