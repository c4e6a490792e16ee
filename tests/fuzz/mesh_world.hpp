// A node with forty members for the fuzzers of the mesh. What it sends is counted and must keep to its bounds.
#pragma once

#include "input.hpp"
#include "mesh.hpp"
#include "mesh_scene.hpp"

namespace thole::mesh {

struct FuzzWorld : World {
    void send_outside(const Endpoint& /*to*/, Bytes datagram) override {
        expect(datagram.size() == kHelloSize);
        ++outside;
    }
    void send_inside(const PublicKey& /*to*/, Bytes message) override {
        expect(message.size() <= kLongestMessage);
        ++inside;
    }
    void on_peer_changed(const PublicKey& /*key*/) override {}
    void on_addresses_changed() override {}
    void try_endpoint(const PublicKey& /*key*/, const Endpoint& endpoint) override {
        expect(!network_contains(test_ranges().ipv4, endpoint.address));
        expect(!network_contains(test_ranges().ipv6, endpoint.address));
    }
    void save(const NodeState& /*state*/) override {}
    void on_secret(const ClusterSecret& /*secret*/, const SecretVersion& /*version*/) override {}
    void fill_random(std::span<std::uint8_t> bytes) override {
        for (std::uint8_t& byte : bytes) {
            byte = ++random;
        }
    }
    std::uint64_t seconds_since_1970() override { return 1'767'225'600; }

    std::size_t inside = 0;
    std::size_t outside = 0;
    std::uint8_t random = 0;
};

struct FuzzNode {
    FuzzNode() {
        for (std::uint32_t number = 1; number <= 40; ++number) {
            // By the way that any record comes: told by the first peer, which said hello.
            std::array<std::uint8_t, kLongestMessage> buffer;
            Writer out(buffer);
            const auto record = encoded(record_of(number));
            out.number(0x01010001, 4);
            out.number(0, 4);
            out.number(record.size, 2);
            out.bytes(record.content());
            if (number == 1) {
                meet(1);
            }
            mesh.on_inside(public_key(1), out.written(), now);
        }
        world.inside = world.outside = 0;
    }

    /// A peer asks, and confirms what it is answered.
    void meet(std::uint32_t number) {
        const HelloKeys keys(cluster_secret());
        const Gate gate(Block{7});
        Hello hello;
        hello.key = public_key(number);
        hello.kind = HelloKind::confirm;
        hello.counter = 1;
        hello.port = 51871;
        hello.name = "first";
        hello.echo = gate.challenge(from, now);
        mesh.on_outside(from, seal_hello(keys, 0, std::array<std::uint8_t, kNonceSize>{}, hello), now);
        expect(mesh.peer_count() > 0);
    }

    static Settings settings() {
        Settings settings;
        settings.key = public_key(0);
        settings.ranges = test_ranges();
        settings.name = "fuzzed";
        settings.endpoints = {{EndpointKind::local, endpoint("192.168.1.2")}};
        settings.random = Block{7};
        return settings;
    }

    Instant now{1'000'000};
    Endpoint from = endpoint("192.168.1.7", 51872);
    FuzzWorld world;
    Mesh mesh{settings(), cluster_secret(), world, now};
};

}  // namespace thole::mesh
