#include "mesh_simulation.hpp"

#include <algorithm>
#include <utility>

#include "base/text.hpp"

namespace thole::mesh {

namespace {

constexpr milliseconds kPoll{5'000};
constexpr milliseconds kNatMemory{60'000};
constexpr milliseconds kInitiationPause{5'000};
constexpr std::size_t kKeepaliveSize = 32;

std::string name_of(const Endpoint& endpoint) { return concat(address_text(endpoint.address), "|", endpoint.port); }

PathStatus status_of(const SimulatedTunnel& tunnel) {
    return {tunnel.handshake.never() ? std::nullopt : std::optional(tunnel.handshake.when()), tunnel.endpoint,
            tunnel.sent, tunnel.received};
}

Endpoint numbered(std::string_view network, std::size_t index, std::uint16_t port) {
    return {network_address(*parse_network(network), static_cast<unsigned>(index + 10)), port};
}

}  // namespace

void SimulatedNode::fill_random(std::span<std::uint8_t> bytes) {
    for (std::uint8_t& byte : bytes) {
        byte = static_cast<std::uint8_t>(simulation.random() >> 32U);
    }
}

std::uint64_t SimulatedNode::seconds_since_1970() {
    return static_cast<std::uint64_t>(1'767'225'600 + simulation.now.milliseconds / 1000 + skew);
}

void SimulatedNode::send_outside(const Endpoint& to, Bytes datagram) {
    ++counts.outside;
    const auto found = simulation.by_endpoint_.find(name_of(to));
    if (found == simulation.by_endpoint_.end()) {
        return;
    }
    SimulatedNode& other = *simulation.nodes[found->second];
    tunnel(other).heard = simulation.now;
    simulation.carry(*this, other, [this, &other, copy = std::vector<std::uint8_t>(datagram.begin(), datagram.end())] {
        if (simulation.listener) {
            simulation.listener(other.index, public_hello, copy);
        }
        other.mesh->on_outside(public_hello, copy, simulation.now);
    });
}

void SimulatedNode::send_inside(const PublicKey& to, Bytes message) {
    ++counts.inside;
    counts.inside_bytes += message.size();
    SimulatedNode* const other = simulation.by_key(to);
    if (other == nullptr) {
        return;
    }
    SimulatedTunnel& ours = tunnel(*other);
    ours.sent += static_cast<std::uint32_t>(message.size());
    ours.changed = true;
    ours.unanswered = true;
    ours.heard = simulation.now;
    if (!ours.session || !other->tunnel(*this).session) {
        // WireGuard asks for a new session as long as there is something to send.
        simulation.initiate(*this, *other, ours.endpoint);
        return;
    }
    simulation.carry(*this, *other, [this, other, copy = std::vector<std::uint8_t>(message.begin(), message.end())] {
        SimulatedTunnel& theirs = other->tunnel(*this);
        if (!theirs.session || !other->mesh->is_peer(settings.key)) {
            return;
        }
        note_received(theirs, copy.size());
        other->mesh->on_inside(settings.key, copy, simulation.now);
        // If only by a keepalive, it is answered.
        theirs.heard = simulation.now;
        simulation.carry(*other, *this, [this, other] { note_received(tunnel(*other), kKeepaliveSize); });
    });
}

void SimulatedNode::note_received(SimulatedTunnel& tunnel, std::size_t bytes) {
    tunnel.received += static_cast<std::uint32_t>(bytes);
    tunnel.changed = true;
    tunnel.unanswered = false;
}

SimulatedTunnel& SimulatedNode::tunnel(const SimulatedNode& other) {
    if (tunnels.size() <= other.index) {
        tunnels.resize(simulation.nodes.size());
    }
    return tunnels[other.index];
}

void SimulatedNode::try_endpoint(const PublicKey& key, const Endpoint& endpoint) {
    SimulatedNode* const other = simulation.by_key(key);
    if (other != nullptr) {
        tunnel(*other).endpoint = endpoint;
        tunnel(*other).last_initiation = Moment();
        simulation.initiate(*this, *other, endpoint);
    }
}

Simulation::Simulation(std::uint64_t seed, Network range) : state_(seed), ranges_{range, ula_range(cluster_secret())} {}

/// SplitMix64.
std::uint64_t Simulation::random() {
    std::uint64_t value = state_ += 0x9E3779B97F4A7C15U;
    value = (value ^ value >> 30U) * 0xBF58476D1CE4E5B9U;
    value = (value ^ value >> 27U) * 0x94D049BB133111EBU;
    return value ^ value >> 31U;
}

SimulatedNode& Simulation::add(const std::vector<std::size_t>& seeds, bool nat) {
    const std::size_t index = nodes.size();
    nodes.push_back(std::make_unique<SimulatedNode>(*this, index));
    SimulatedNode& node = *nodes.back();
    node.nat = nat;
    node.settings.key = public_key(static_cast<std::uint32_t>(index));
    node.settings.ranges = ranges_;
    node.settings.name = "node-" + std::to_string(index);
    node.settings.roles = "worker";
    const Endpoint local = numbered(nat ? "192.168.0.0/16" : "100.64.0.0/16", index, 51871);
    node.settings.endpoints = {{EndpointKind::local, local}};
    node.public_wireguard = nat ? numbered("100.65.0.0/16", index, 40'000) : local;
    node.public_hello = {node.public_wireguard.address, static_cast<std::uint16_t>(node.public_wireguard.port + 1)};
    for (const std::size_t seed : seeds) {
        if (seed != index) {
            node.settings.seeds.push_back(numbered("100.64.0.0/16", seed, 51872));
        }
    }
    by_key_[key_prefix(node.settings.key)] = index;
    by_endpoint_[name_of(node.public_wireguard)] = index;
    by_endpoint_[name_of(node.public_hello)] = index;
    return node;
}

void Simulation::start(std::size_t index) {
    SimulatedNode& node = *nodes[index];
    ++node.settings.state.epoch;
    node.fill_random(node.settings.random);
    node.tunnels.assign(nodes.size(), SimulatedTunnel());
    node.mesh = std::make_unique<Mesh>(node.settings, cluster_secret(node.secret), node, now);
    node.ticking = Instant{-1};
    schedule(node);
    at(now + milliseconds(below(5'000)), [this, index] { poll(index); });
}

void Simulation::poll(std::size_t index) {
    SimulatedNode& node = *nodes[index];
    if (!node.up()) {
        return;
    }
    for (std::size_t other = 0; other < node.tunnels.size(); ++other) {
        SimulatedTunnel& tunnel = node.tunnels[other];
        // Where nothing happened and nothing is missing, the same status as before tells a node nothing.
        if (tunnel.changed || (tunnel.session && tunnel.unanswered)) {
            tunnel.changed = false;
            node.mesh->on_status(nodes[other]->settings.key, status_of(tunnel), now);
        }
    }
    schedule(node);
    at(now + kPoll, [this, index] { poll(index); });
}

void Simulation::at(Instant when, std::function<void()> happens) {
    events_.push_back({when, order_++, std::move(happens)});
    std::ranges::push_heap(events_, Later());
}

void Simulation::schedule(SimulatedNode& node) {
    const Instant when = std::max(node.mesh->next_deadline(), now);
    if (node.ticking.milliseconds >= 0 && node.ticking <= when) {
        return;
    }
    node.ticking = when;
    at(when, [this, &node, when] {
        if (node.up() && node.ticking == when) {
            node.ticking = Instant{-1};
            node.mesh->tick(now);
            schedule(node);
        }
    });
}

void Simulation::carry(const SimulatedNode& from, SimulatedNode& to, const std::function<void()>& arrives) {
    const int copies = below(100) < twice ? 2 : 1;
    for (int copy = 0; copy < copies; ++copy) {
        if (below(100) < loss) {
            continue;
        }
        // NOLINTNEXTLINE(clang-analyzer-cplusplus.NewDeleteLeaks): std::function's copy, which the queue owns
        at(now + milliseconds(1 + below(static_cast<std::uint32_t>(delay.count()))), [this, &from, &to, arrives] {
            const bool let_in = !to.nat || now - to.tunnel(from).heard.when() < kNatMemory;
            if (to.up() && from.part == to.part && let_in) {
                arrives();
                schedule(to);
            }
        });
    }
}

SimulatedNode* Simulation::by_key(const PublicKey& key) {
    const auto found = by_key_.find(key_prefix(key));
    return found != by_key_.end() ? nodes[found->second].get() : nullptr;
}

void Simulation::initiate(SimulatedNode& from, SimulatedNode& to, const Endpoint& endpoint) {
    SimulatedTunnel& tunnel = from.tunnel(to);
    if (now - tunnel.last_initiation.when() < kInitiationPause) {
        return;
    }
    tunnel.last_initiation = now;
    tunnel.initiated = true;
    ++from.counts.handshakes;
    if (endpoint != to.public_wireguard) {
        return;  // whoever is there does not answer
    }
    tunnel.heard = now;
    carry(from, to, [this, &from, &to] {
        if (!to.mesh->is_peer(from.settings.key)) {
            return;
        }
        to.tunnel(from).heard = now;
        // A peer has one handshake at a time: that of the other takes the place of its own. Where two initiations
        // cross, none is completed, and WireGuard tries again after five seconds.
        to.tunnel(from).initiated = false;
        carry(to, from, [this, &from, &to] {
            if (!std::exchange(from.tunnel(to).initiated, false)) {
                return;
            }
            complete(from, to, to.public_wireguard);
            carry(from, to, [this, &from, &to] { complete(to, from, from.public_wireguard); });
        });
    });
}

void Simulation::complete(SimulatedNode& node, const SimulatedNode& other, const Endpoint& seen) {
    SimulatedTunnel& tunnel = node.tunnel(other);
    tunnel.session = true;
    tunnel.handshake = now;
    tunnel.endpoint = seen;
    tunnel.sent += 1;
    tunnel.received += 1;
    tunnel.heard = now;
    node.mesh->on_status(other.settings.key, status_of(tunnel), now);
}

void Simulation::run(milliseconds time) {
    const Instant end = now + time;
    while (!events_.empty() && events_.front().when <= end) {
        std::ranges::pop_heap(events_, Later());
        const Event event = std::move(events_.back());
        events_.pop_back();
        now = event.when;
        event.happens();
    }
    now = end;
}

std::optional<milliseconds> Simulation::run_until(const std::function<bool()>& holds, milliseconds most) {
    const milliseconds step(nodes.size() > 200 ? 1'000 : 250);
    for (milliseconds waited{}; waited <= most; waited += step) {
        if (holds()) {
            return waited;
        }
        run(step);
    }
    return std::nullopt;
}

std::optional<milliseconds> Simulation::run_until_converged(milliseconds most) {
    return run_until([this] { return converged(); }, most);
}

bool Simulation::converged() const {
    const SimulatedNode* first = nullptr;
    std::size_t up = 0;
    for (const auto& node : nodes) {
        if (!node->up()) {
            continue;
        }
        ++up;
        first = first == nullptr ? node.get() : first;
        if (node->mesh->members().digest({}) != first->mesh->members().digest({}) || !node->mesh->has_ipv4()) {
            return false;
        }
        for (std::size_t index = 0; index < node->mesh->members().all().size(); ++index) {
            if (node->mesh->members().all()[index]->has_address != first->mesh->members().all()[index]->has_address) {
                return false;
            }
        }
    }
    std::size_t known = 0;
    for (const auto& node : nodes) {
        const Member* const member = first != nullptr ? first->mesh->members().find(node->settings.key) : nullptr;
        known += node->up() && member != nullptr && member->present() ? 1 : 0;
    }
    return known == up;
}

void Simulation::throw_at(std::size_t index, const Endpoint& from, Bytes datagram) {
    SimulatedNode& node = *nodes[index];
    if (node.up()) {
        node.mesh->on_outside(from, datagram, now);
        schedule(node);
    }
}

}  // namespace thole::mesh
