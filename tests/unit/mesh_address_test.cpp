// Addresses that come from keys, and who keeps one that two want.
#include <doctest/doctest.h>

#include <map>
#include <random>
#include <set>

#include "mesh_scene.hpp"

using namespace thole;
using namespace thole::mesh;

namespace {

constexpr Instant kStart{1'000'000'000};

struct Table {
    FixedLiveness liveness;
    Members members{test_ranges(), liveness};

    [[nodiscard]] bool has(std::uint32_t number) const { return members.find(public_key(number))->has_address; }
};

/// Two nodes whose first addresses are the same.
std::pair<std::uint32_t, std::uint32_t> colliding() {
    static const auto kPair = [] {
        const Network range = test_ranges().ipv4;
        for (std::uint32_t one = 1;; ++one) {
            for (std::uint32_t other = 0; other < one; ++other) {
                if (mesh_ipv4(range, public_key(one), 0) == mesh_ipv4(range, public_key(other), 0)) {
                    return std::pair(other, one);
                }
            }
        }
    }();
    return kPair;
}

NodeRecord settled(std::uint32_t number, std::uint64_t when, std::uint32_t sequence = 1) {
    auto record = record_of(number, {1, sequence});
    record.settled = when;
    return record;
}

NodeRecord fixed(std::uint32_t number, const Address& address, std::uint64_t when, std::uint32_t sequence = 1) {
    auto record = settled(number, when, sequence);
    record.fixed_address = true;
    record.ipv4 = address;
    return record;
}

/// Whether what the table knows by heart is what a look at all its members finds.
void check_by_hand(const Members& members, Instant now) {
    RangeDigest all;
    std::map<std::string, std::size_t> holders;
    for (const auto& member : members.all()) {
        ++all.count;
        all.digest ^= member->check;
        holders[address_text(member->record().ipv4())] += member->has_address ? 1 : 0;
    }
    CHECK(members.digest({}) == all);
    for (const auto& member : members.all()) {
        const Address address = member->record().ipv4();
        const Member* const holder = members.holder(address);
        CHECK(holders[address_text(address)] == (holder != nullptr ? 1 : 0));
        CHECK((holder == nullptr || (holder->has_address && holder->present())));
        if (!member->present()) {
            continue;
        }
        CHECK(members.first_claimant(address, now) != nullptr);
        REQUIRE(members.named(member->record().name(), now) != nullptr);
        CHECK(members.named(member->record().name(), now)->record().name() == member->record().name());
    }
}

}  // namespace

TEST_CASE("addresses: in the range, but not its first, its last, or what is left for static ones") {
    for (const std::string_view text : {"10.41.0.0/16", "10.0.0.0/8", "192.168.7.0/24", "192.168.7.16/28"}) {
        const auto range = *parse_network(text);
        CHECK(check_mesh_range(range));
        const unsigned size = 1U << (32 - range.prefix);
        for (std::uint32_t number = 0; number < 500; ++number) {
            const auto address = mesh_ipv4(range, public_key(number), static_cast<std::uint8_t>(number % 256));
            INFO(text << " " << address_text(address));
            CHECK(is_mesh_host(range, address));
            for (unsigned low = 0; low < std::max(2U, size / 16) && low < 64; ++low) {
                CHECK(address != network_address(range, low));
            }
            CHECK(address != network_address(range, size - 1));
        }
        CHECK_FALSE(is_mesh_host(range, network_address(range, 0)));
        CHECK_FALSE(is_mesh_host(range, network_address(range, 1)));
        CHECK_FALSE(is_mesh_host(range, network_address(range, size - 1)));
        CHECK(is_mesh_host(range, network_address(range, 2)));
    }
    CHECK_FALSE(check_mesh_range(*parse_network("10.0.0.0/7")));
    CHECK_FALSE(check_mesh_range(*parse_network("10.0.0.0/29")));
    CHECK_FALSE(check_mesh_range(*parse_network("fd00::/16")));
    CHECK_FALSE(is_mesh_host(test_ranges().ipv4, *parse_address("10.42.0.9")));
    CHECK_FALSE(is_mesh_host(test_ranges().ipv4, *parse_address("fd00::9")));
}

TEST_CASE("addresses: spread, another with each attempt, the same at any time") {
    const Network range = test_ranges().ipv4;
    std::set<std::string> seen;
    for (unsigned attempt = 0; attempt < 256; ++attempt) {
        seen.insert(address_text(mesh_ipv4(range, public_key(1), static_cast<std::uint8_t>(attempt))));
    }
    CHECK(seen.size() > 250);
    // What nodes of all versions must agree on.
    CHECK(address_text(mesh_ipv4(range, PublicKey{}, 0)) == "10.41.48.20");
    CHECK(address_text(mesh_ipv6(test_ranges().ipv6, PublicKey{})) == "fd23:11d2:20b5:0:2c9c:8ae0:6438:68a5");
}

TEST_CASE("addresses: a unique local range of RFC 4193 from the secret") {
    const auto range = ula_range(cluster_secret());
    CHECK(range.prefix == 64);
    CHECK(range.address.bytes[0] == 0xFD);
    CHECK(network_base(range).address == range.address);
    CHECK(ula_range(cluster_secret(2)).address != range.address);
    CHECK(network_contains(range, mesh_ipv6(range, public_key(1))));
    CHECK(mesh_ipv6(range, public_key(1)) != mesh_ipv6(range, public_key(2)));
}

TEST_CASE("claims: a total order") {
    const PublicKey one = public_key(1);
    const PublicKey two = public_key(2);
    std::vector<Claim> all;
    for (const bool stale : {false, true}) {
        for (const bool is_fixed : {false, true}) {
            for (const std::uint64_t when : {0U, 10U, 20U}) {
                all.push_back({stale, is_fixed, when, &one});
                all.push_back({stale, is_fixed, when, &two});
            }
        }
    }
    for (const Claim& left : all) {
        for (const Claim& right : all) {
            const bool same = &left == &right;
            const bool behind =
                goes_before(right, left);  // NOLINT(readability-suspicious-call-argument): the other way
            CHECK((goes_before(left, right) != (same || behind)));
        }
    }
    CHECK(goes_before({false, true, 0, &one}, {false, false, 10, &two}));
    CHECK(goes_before({false, false, 10, &one}, {false, false, 0, &two}));
    CHECK(goes_before({false, false, 10, &one}, {false, false, 20, &two}));
    CHECK(goes_before({false, false, 20, &one}, {true, true, 10, &two}));
}

TEST_CASE("claims: all nodes decide alike, in whatever order they hear") {
    const auto [low, high] = colliding();
    for (const bool swapped : {false, true}) {
        Table table;
        const auto older = settled(low, 100);
        const auto younger = settled(high, 200);
        merge(table.members, swapped ? younger : older, kStart);
        merge(table.members, swapped ? older : younger, kStart);
        CHECK(table.has(low));
        CHECK_FALSE(table.has(high));
        CHECK(table.members.first_claimant(older.ipv4, kStart)->key() == older.key);
        // The loser moves on.
        CHECK(merge(table.members, record_of(high, {1, 2}, 1), kStart) == Merge::changed);
        CHECK(table.has(low));
        CHECK(table.has(high));
    }
}

TEST_CASE("claims: a joining node takes no address from another") {
    const auto [low, high] = colliding();
    Table table;
    merge(table.members, settled(low, 500), kStart);
    merge(table.members, settled(high, 0), kStart);
    CHECK(table.has(low));
    CHECK_FALSE(table.has(high));
    // Not even by a false date, while the other one uses it.
    table.liveness.answer = true;
    merge(table.members, settled(high, 1, 2), kStart);
    CHECK(table.has(low));
    CHECK_FALSE(table.has(high));
    // Only when that one has given it up.
    merge(table.members, record_of(low, {1, 2}, 1), kStart);
    CHECK(table.has(low));
    CHECK(table.has(high));
}

TEST_CASE("claims: a static address wins, but waits until it is free") {
    Table table;
    table.liveness.answer = true;
    const auto derived = settled(1, 100);
    merge(table.members, derived, kStart);
    merge(table.members, fixed(2, derived.ipv4, 200), kStart);
    CHECK(table.members.first_claimant(derived.ipv4, kStart)->key() == public_key(2));
    CHECK(table.has(1));
    CHECK_FALSE(table.has(2));
    merge(table.members, record_of(1, {1, 2}, 1), kStart);
    CHECK(table.has(1));
    CHECK(table.has(2));
    // A second one with the same static address is refused for good.
    merge(table.members, fixed(3, derived.ipv4, 0), kStart);
    CHECK_FALSE(table.has(3));
    CHECK(table.members.first_claimant(derived.ipv4, kStart)->key() == public_key(2));
}

TEST_CASE("claims: what left, was forgotten or expired holds nothing") {
    for (const std::string_view how : {"left", "forgotten", "expired"}) {
        INFO(how);
        Table table;
        table.liveness.answer = true;
        const auto address = *parse_address("10.41.0.10");
        merge(table.members, fixed(1, address, 100), kStart);
        merge(table.members, fixed(2, address, 200), kStart + kExpiry);
        CHECK(table.has(1));
        CHECK_FALSE(table.has(2));
        if (how == "left") {
            auto gone = fixed(1, address, 100, 2);
            gone.left = true;
            merge(table.members, gone, kStart);
        } else if (how == "forgotten") {
            NodeRecord grave;
            grave.key = public_key(1);
            grave.version = kForgotten;
            grave.forgotten = true;
            table.members.put(grave, kStart);
        } else {
            CHECK_FALSE(table.members.expire(public_key(9), kStart + kExpiry));
            CHECK(table.members.expire(public_key(9), kStart + kExpiry + milliseconds(1)));
        }
        CHECK(table.has(2));
    }
}

TEST_CASE("names: the older has it, others have digits behind theirs") {
    Table table;
    auto first = settled(1, 100);
    auto second = settled(2, 200);
    first.name = second.name = "web";
    merge(table.members, second, kStart);
    CHECK(table.members.unique_name(*table.members.find(second.key), kStart) == "web");
    merge(table.members, first, kStart);
    CHECK(table.members.named("web", kStart)->key() == first.key);
    CHECK(table.members.named("db", kStart) == nullptr);
    CHECK(table.members.unique_name(*table.members.find(first.key), kStart) == "web");
    CHECK(table.members.unique_name(*table.members.find(second.key), kStart) ==
          "web-" + fingerprint(second.key).substr(0, 4));
}

TEST_CASE("names: a node that was made anew replaces its old self once that has been silent for hours") {
    Table table;
    const auto address = *parse_address("10.41.0.10");
    auto old_self = fixed(1, address, 100);
    auto new_self = fixed(2, address, 200);
    old_self.name = new_self.name = "web";
    merge(table.members, old_self, kStart);
    const Instant soon = kStart + kStale;
    merge(table.members, new_self, soon);
    CHECK(table.members.named("web", soon)->key() == old_self.key);
    CHECK(table.has(1));
    const Instant later = soon + milliseconds(1);
    table.members.decide_addresses(later);
    CHECK(table.members.named("web", later)->key() == new_self.key);
    CHECK(table.has(2));
    CHECK_FALSE(table.has(1));
    // A node of another name gets it neither way.
    Table other;
    new_self.name = "db";
    merge(other.members, old_self, kStart);
    merge(other.members, new_self, later);
    other.members.decide_addresses(later);
    CHECK(other.has(1));
}

TEST_CASE("members: what is known by heart holds through all changes") {
    Table table;
    std::mt19937 random(1);
    Instant now = kStart;
    for (std::uint32_t sequence = 1; sequence <= 600; ++sequence) {
        now = now + std::chrono::minutes(40);
        const std::uint32_t number = random() % 100;
        auto record = record_of(number, {1, sequence}, static_cast<std::uint8_t>(random() % 3));
        record.name = "node-" + std::to_string(random() % 20);
        record.settled = random() % 3;
        record.left = random() % 10 == 0;
        record.fixed_address = random() % 4 == 0;
        if (record.fixed_address) {
            record.ipv4 = *parse_address("10.41.0." + std::to_string(2 + random() % 20));
        }
        merge(table.members, record, now);
        if (random() % 50 == 0) {
            NodeRecord grave;
            grave.key = record.key;
            grave.version = kForgotten;
            grave.forgotten = true;
            table.members.put(grave, now);
        }
        table.liveness.answer = random() % 2 == 0;
        if (sequence % 20 == 0) {
            table.members.expire(public_key(0), now);
            check_by_hand(table.members, now);
        }
    }
}
