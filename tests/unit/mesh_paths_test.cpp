// The choice of a peer's endpoint.
#include <doctest/doctest.h>

#include "mesh_scene.hpp"
#include "paths.hpp"

using namespace thole;
using namespace thole::mesh;

namespace {

constexpr Instant kStart{1'000'000'000};

const Endpoint kFixedPlace = endpoint("198.51.100.1");
const Endpoint kLocalPlace = endpoint("192.168.1.7");
const Endpoint kSeenPlace = endpoint("203.0.113.5", 40'000);

struct Scene {
    Ranges ranges = test_ranges();
    std::vector<KnownEndpoint> own{{EndpointKind::local, endpoint("192.168.1.2")}};
    Forbidden forbidden{ranges, own};
    Paths paths;
    Instant now = kStart;
    PathStatus status{};

    explicit Scene(bool gives_way = false) : paths(gives_way) { paths.hurry(now, milliseconds(0)); }

    void know(std::initializer_list<KnownEndpoint> known) { paths.set_known(std::vector(known), forbidden, now); }
    std::optional<Endpoint> tick() { return paths.tick(now, 20); }
    std::optional<Endpoint> next() {
        now = std::max(now, paths.next_try());
        return tick();
    }
    bool handshake(const Endpoint& where) {
        status.handshake = now;
        status.endpoint = where;
        status.sent += 148;
        status.received += 92;
        return paths.on_status(status, forbidden, now);
    }
    void send(std::uint64_t bytes = 96) {
        status.sent += bytes;
        paths.on_status(status, forbidden, now);
    }
};

}  // namespace

TEST_CASE("search: fixed, observed, local, and round again for ever with growing pauses") {
    Scene scene;
    scene.know({{EndpointKind::local, kLocalPlace}, {EndpointKind::fixed, kFixedPlace}});
    scene.paths.add_observed(kSeenPlace, scene.forbidden, scene.now);
    milliseconds longest{};
    std::size_t tries = 0;
    while (scene.now - kStart < hours(48)) {
        CHECK(scene.next() == kFixedPlace);
        CHECK_FALSE(scene.tick());
        CHECK(scene.next() == kSeenPlace);
        CHECK(scene.next() == kLocalPlace);
        CHECK(scene.paths.needs_help());
        CHECK_FALSE(scene.paths.needs_help());
        const Instant before = scene.now;
        CHECK(scene.paths.next_try() > before);
        longest = std::max(longest, scene.paths.next_try() - before);
        tries += 3;
    }
    CHECK(longest <= milliseconds(360'000));
    CHECK(tries > 1'000);
    CHECK(tries < 3'000);
}

TEST_CASE("search: soon after three minutes the next try is near") {
    Scene scene;
    scene.know({{EndpointKind::fixed, kFixedPlace}});
    while (scene.now - kStart < std::chrono::minutes(3)) {
        scene.next();
    }
    CHECK(scene.paths.next_try() - scene.now <= seconds(30));
}

TEST_CASE("a path that works is kept") {
    Scene scene;
    scene.know({{EndpointKind::fixed, kFixedPlace}, {EndpointKind::local, kLocalPlace}});
    CHECK(scene.next() == kFixedPlace);
    CHECK(scene.next() == kLocalPlace);
    CHECK(scene.handshake(kLocalPlace));
    CHECK(scene.paths.working());
    CHECK(scene.paths.current() == kLocalPlace);
    CHECK(scene.paths.next_try() > scene.now + hours(1'000'000));
    scene.paths.add_observed(kSeenPlace, scene.forbidden, scene.now);
    scene.know({{EndpointKind::fixed, endpoint("198.51.100.2")}});
    scene.now = scene.now + hours(1);
    CHECK_FALSE(scene.tick());
    CHECK(scene.paths.working());
    CHECK_FALSE(scene.paths.needs_help());
}

TEST_CASE("silence: only where something was sent, and only after 15 s") {
    Scene scene;
    scene.know({{EndpointKind::fixed, kFixedPlace}, {EndpointKind::local, kLocalPlace}});
    scene.handshake(kLocalPlace);
    scene.now = scene.now + hours(10);
    scene.paths.on_status(scene.status, scene.forbidden, scene.now);
    CHECK(scene.paths.working());
    scene.send();
    scene.now = scene.now + seconds(14);
    scene.send();
    CHECK(scene.paths.working());
    scene.now = scene.now + seconds(1);
    scene.send();
    CHECK_FALSE(scene.paths.working());
    // What worked last comes first.
    CHECK(scene.tick() == kLocalPlace);
    CHECK(scene.next() == kFixedPlace);
    CHECK(scene.handshake(kFixedPlace));
}

TEST_CASE("silence: this node's own keepalive, which ends an exchange, wants no answer") {
    Scene scene;
    scene.know({{EndpointKind::fixed, kFixedPlace}, {EndpointKind::local, kLocalPlace}});
    scene.handshake(kLocalPlace);
    scene.send(32);
    scene.now = scene.now + hours(1);
    scene.paths.on_status(scene.status, scene.forbidden, scene.now);
    CHECK(scene.paths.working());
    scene.send(64);  // an IPv4 packet of 20 bytes
    scene.send(32);
    scene.now = scene.now + seconds(15);
    scene.paths.on_status(scene.status, scene.forbidden, scene.now);
    CHECK_FALSE(scene.paths.working());
}

TEST_CASE("silence: an answer ends it") {
    Scene scene;
    scene.handshake(kLocalPlace);
    for (int second = 0; second < 100; second += 10) {
        scene.send();
        scene.now = scene.now + seconds(10);
        scene.status.received += 32;
        scene.paths.on_status(scene.status, scene.forbidden, scene.now);
    }
    CHECK(scene.paths.working());
}

TEST_CASE("roaming: the kernel follows, and so do we") {
    Scene scene;
    scene.know({{EndpointKind::fixed, kFixedPlace}});
    scene.handshake(kFixedPlace);
    scene.status.endpoint = kSeenPlace;
    scene.status.received += 100;
    scene.paths.on_status(scene.status, scene.forbidden, scene.now);
    CHECK(scene.paths.current() == kSeenPlace);
    scene.send();
    scene.now = scene.now + seconds(15);
    scene.send();
    CHECK(scene.tick() == kSeenPlace);
    CHECK(scene.next() == kFixedPlace);
}

TEST_CASE("never: an endpoint in the mesh, this node's own, or one that is nobody's") {
    Scene scene;
    for (const std::string_view address :
         {"10.41.7.7", "127.0.0.1", "169.254.1.1", "fe80::1", "224.0.0.1", "0.0.0.0"}) {
        INFO(address);
        CHECK(scene.forbidden.forbids(endpoint(address)));
        scene.know({{EndpointKind::fixed, endpoint(address)}});
        scene.paths.add_observed(endpoint(address), scene.forbidden, scene.now);
        CHECK_FALSE(scene.next());
    }
    CHECK(scene.forbidden.forbids({mesh_ipv6(scene.ranges.ipv6, public_key(1)), 51871}));
    CHECK(scene.forbidden.forbids(endpoint("192.168.1.2")));
    CHECK(scene.forbidden.forbids(endpoint("192.0.2.1", 0)));
    CHECK_FALSE(scene.forbidden.forbids(endpoint("192.168.1.2", 9)));
    CHECK(scene.paths.needs_help());
    // Where the kernel follows a peer into the tunnel, it is brought back.
    scene.know({{EndpointKind::fixed, kFixedPlace}});
    scene.handshake(kFixedPlace);
    scene.status.endpoint = endpoint("10.41.7.7");
    scene.paths.on_status(scene.status, scene.forbidden, scene.now);
    CHECK_FALSE(scene.paths.working());
    CHECK(scene.tick() == kFixedPlace);
}

TEST_CASE("observed: the last two are kept, each once") {
    Scene scene;
    for (std::uint16_t port = 1; port <= 5; ++port) {
        scene.paths.add_observed(endpoint("203.0.113.5", port), scene.forbidden, scene.now);
        scene.paths.add_observed(endpoint("203.0.113.5", port), scene.forbidden, scene.now);
    }
    CHECK(scene.next() == endpoint("203.0.113.5", 4));
    CHECK(scene.next() == endpoint("203.0.113.5", 5));
    CHECK(scene.next() == endpoint("203.0.113.5", 4));
}

TEST_CASE("of two nodes that hear of each other one tries at once and the other a second later") {
    Scene first;
    Scene second(true);
    for (Scene* const scene : {&first, &second}) {
        scene->know({{EndpointKind::local, kLocalPlace}});
    }
    CHECK(first.paths.next_try() == first.now);
    CHECK_FALSE(second.tick());
    CHECK(second.paths.next_try() - second.now == seconds(1));
    CHECK(second.next() == kLocalPlace);
}

TEST_CASE("hurry: a search begins anew") {
    Scene scene;
    scene.know({{EndpointKind::fixed, kFixedPlace}});
    while (scene.now - kStart < hours(5)) {
        scene.next();
    }
    CHECK(scene.paths.next_try() - scene.now > seconds(60));
    scene.paths.hurry(scene.now, seconds(2));
    CHECK(scene.paths.next_try() - scene.now <= seconds(2));
    MESSAGE("the paths of one peer take " << sizeof(Paths) << " bytes, its record " << sizeof(Member));
}
