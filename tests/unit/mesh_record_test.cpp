// Records and the table of members: strict reading, versions, digests, tombstones, limits.
#include <doctest/doctest.h>

#include <random>

#include "mesh_scene.hpp"

using namespace thole;
using namespace thole::mesh;

namespace {

constexpr Instant kStart{1'000'000'000};

struct Table {
    FixedLiveness liveness;
    Members members{test_ranges(), liveness};
};

bool reads(const NodeRecord& record) { return read_record(encoded(record).content()).has_value(); }

NodeRecord longest_record() {
    NodeRecord record = record_of(1);
    record.name = std::string(kLongestName, 'a');
    record.roles = std::string(kLongestRoles, 'b');
    record.pods = {*parse_network("10.42.0.0/24"), *parse_network("fd00:42::/64")};
    record.endpoints.assign(kMostEndpoints, {EndpointKind::fixed, endpoint("2001:db8::1")});
    return record;
}

NodeRecord grave_of(std::uint32_t number, std::uint32_t by) {
    NodeRecord record;
    record.key = public_key(number);
    record.version = kForgotten;
    record.forgotten = true;
    record.forgotten_by = public_key(by);
    return record;
}

}  // namespace

TEST_CASE("record: written and read back") {
    for (const NodeRecord& record : {record_of(1), longest_record(), grave_of(3, 4)}) {
        const auto bytes = encoded(record);
        CHECK(bytes.size > 0);
        const auto read = read_record(bytes.content());
        REQUIRE(read);
        const auto again = encoded(*read);
        CHECK(std::ranges::equal(again.content(), bytes.content()));
        CHECK(read->name == record.name);
        CHECK(read->endpoints == record.endpoints);
        CHECK(read_head(bytes.content())->key == record.key);
        CHECK(read_head(bytes.content())->version == record.version);
    }
    MESSAGE("the longest record has " << encoded(longest_record()).size << " bytes, one as usual "
                                      << encoded(record_of(1)).size);
}

TEST_CASE("record: read in its encoded form it says the same") {
    NodeRecord changed = record_of(2, {7, 9});
    changed.left = true;
    changed.fixed_address = true;
    changed.secret = {3, 77};
    for (const NodeRecord& record : {record_of(1), longest_record(), changed, grave_of(3, 4)}) {
        const auto bytes = encoded(record);
        const RecordView view(bytes.bytes.data());
        CHECK(view.key() == record.key);
        CHECK(view.version() == record.version);
        CHECK(view.forgotten() == record.forgotten);
        CHECK(view.left() == record.left);
        CHECK(view.fixed_address() == record.fixed_address);
        CHECK(view.settled() == record.settled);
        CHECK(view.ipv4() == record.ipv4);
        CHECK(view.secret() == record.secret);
        CHECK(view.name() == record.name);
    }
}

TEST_CASE("record: no length but its own, no bit that means nothing") {
    const auto bytes = encoded(longest_record());
    for (std::size_t length = 0; length < bytes.size; ++length) {
        CHECK_FALSE(read_record(bytes.content().first(length)));
    }
    std::vector<std::uint8_t> longer(bytes.content().begin(), bytes.content().end());
    longer.push_back(0);
    CHECK_FALSE(read_record(longer));
    for (std::size_t bit = 0; bit < bytes.size * 8; ++bit) {
        std::vector<std::uint8_t> changed(bytes.content().begin(), bytes.content().end());
        changed[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
        const auto read = read_record(changed);
        if (read) {
            CHECK(std::ranges::equal(encoded(*read).content(), changed));
        }
    }
}

TEST_CASE("record: only what makes sense") {
    const auto refused = [](auto change) {
        auto record = record_of(1);
        change(record);
        return !reads(record);
    };
    CHECK(refused([](auto& record) { record.name = ""; }));
    CHECK(refused([](auto& record) { record.name = "Web"; }));
    CHECK(refused([](auto& record) { record.name = "a b"; }));
    CHECK(refused([](auto& record) { record.roles = " worker"; }));
    CHECK(refused([](auto& record) { record.roles = "worker  api"; }));
    CHECK(refused([](auto& record) { record.roles = "worker\n"; }));
    CHECK(refused([](auto& record) { record.port = 0; }));
    CHECK(refused([](auto& record) { record.ipv4 = {}; }));
    CHECK(refused([](auto& record) { record.pods[0].address.bytes[3] = 1; }));
    CHECK(refused([](auto& record) { record.pods[0].prefix = 33; }));
    CHECK(refused([](auto& record) { record.endpoints[0].where.port = 0; }));
    CHECK(refused([](auto& record) { record.endpoints[0].where = endpoint("127.0.0.1"); }));
    CHECK(refused([](auto& record) { record.endpoints[0].kind = EndpointKind::observed; }));
    CHECK(refused([](auto& record) { record.version = kForgotten; }));
    CHECK_FALSE(refused([](auto& record) { record.roles = ""; }));
    CHECK_FALSE(refused([](auto& record) { record.endpoints.clear(); }));
}

TEST_CASE("members: newer replaces older, whoever brings it") {
    Table table;
    CHECK(merge(table.members, record_of(1, {2, 5}), kStart) == Merge::changed);
    CHECK(merge(table.members, record_of(1, {2, 5}), kStart) == Merge::same);
    CHECK(merge(table.members, record_of(1, {2, 4}), kStart) == Merge::older);
    CHECK(merge(table.members, record_of(1, {1, 9}), kStart) == Merge::older);
    CHECK(merge(table.members, record_of(1, {3, 0}), kStart) == Merge::changed);
    CHECK(table.members.all().size() == 1);
    CHECK(table.members.find(public_key(1))->record().version() == Version{3, 0});
    CHECK(table.members.find(public_key(2)) == nullptr);
    CHECK(table.members.find_prefix(key_prefix(public_key(1))) != nullptr);
    CHECK(table.members.find_prefix(7) == nullptr);
}

TEST_CASE("members: of two records with one version all keep the same") {
    auto one = record_of(1);
    auto other = record_of(1);
    other.name = "impostor";
    Table left;
    Table right;
    merge(left.members, one, kStart);
    merge(left.members, other, kStart);
    merge(right.members, other, kStart);
    merge(right.members, one, kStart);
    CHECK(left.members.digest({}) == right.members.digest({}));
}

TEST_CASE("members: refused with a reason") {
    Table table;
    auto outside = record_of(1);
    outside.fixed_address = true;
    outside.ipv4 = *parse_address("10.50.0.1");
    CHECK(merge(table.members, outside, kStart) == Merge::refused);
    CHECK(table.members.last_refusal() == "its address is not in this node's mesh range");
    auto foreign = record_of(1);
    foreign.ipv4 = record_of(2).ipv4;
    CHECK(merge(table.members, foreign, kStart) == Merge::refused);
    CHECK(table.members.last_refusal() == "its address does not come from its key");
    CHECK(table.members.merge({}, {}, kStart) == Merge::refused);
    CHECK(table.members.all().empty());
}

TEST_CASE("members: a tombstone goes before everything, and goes after all that it buries") {
    Table table;
    merge(table.members, record_of(1), kStart);
    table.members.put(grave_of(1, 2), kStart);
    CHECK(table.members.find(public_key(1))->record().forgotten());
    CHECK(merge(table.members, record_of(1, {0xFFFFFFFEU, 0}), kStart) == Merge::older);
    const PublicKey nobody = public_key(99);
    CHECK_FALSE(table.members.expire(nobody, kStart + kExpiry + hours(1)));
    CHECK(table.members.expire(nobody, kStart + kBurial + milliseconds(1)));
    CHECK(table.members.all().empty());
    CHECK(kBurial > kExpiry);
    // Two who forget the same node agree.
    Table other;
    table.members.put(grave_of(1, 2), kStart);
    other.members.put(grave_of(1, 3), kStart);
    merge(table.members, grave_of(1, 3), kStart);
    merge(other.members, grave_of(1, 2), kStart);
    CHECK(table.members.digest({}) == other.members.digest({}));
}

TEST_CASE("members: ages count from the owner's writing, whatever way a record took") {
    Table table;
    merge(table.members, record_of(1), kStart, hours(24));
    CHECK(kStart - table.members.find(public_key(1))->issued == hours(24));
    CHECK(merge(table.members, record_of(2), kStart, kExpiry + milliseconds(1)) == Merge::older);
    const PublicKey nobody = public_key(99);
    CHECK_FALSE(table.members.expire(nobody, kStart + hours(6 * 24)));
    CHECK(table.members.expire(nobody, kStart + hours(6 * 24) + milliseconds(1)));
    merge(table.members, record_of(1), kStart);
    CHECK_FALSE(table.members.expire(public_key(1), kStart + kExpiry * 2));
}

TEST_CASE("members: digests of ranges add up") {
    Table table;
    for (std::uint32_t number = 0; number < 300; ++number) {
        merge(table.members, record_of(number), kStart);
    }
    RangeDigest sum;
    for (unsigned digit = 0; digit < 16; ++digit) {
        const KeyRange part = KeyRange{}.part(digit);
        RangeDigest deeper;
        for (unsigned next = 0; next < 16; ++next) {
            const auto one = table.members.digest(part.part(next));
            deeper.count += one.count;
            deeper.digest ^= one.digest;
        }
        const auto whole = table.members.digest(part);
        CHECK(whole == deeper);
        for (const auto& member : table.members.in(part)) {
            CHECK((member->key().bytes[0] >> 4U) == digit);
            CHECK(part.contains(key_prefix(member->key())));
        }
        sum.count += whole.count;
        sum.digest ^= whole.digest;
    }
    CHECK(sum == table.members.digest({}));
    CHECK(sum.count == 300);
}

TEST_CASE("members: there is an end to them") {
    Table table;
    auto record = record_of(0);
    for (std::size_t number = 0; number < kMostMembers; ++number) {
        record.key.bytes[0] = static_cast<std::uint8_t>(number >> 8U);
        record.key.bytes[1] = static_cast<std::uint8_t>(number);
        table.members.put(record, kStart);
    }
    CHECK(merge(table.members, record_of(1), kStart) == Merge::refused);
    CHECK(table.members.last_refusal() == "there are too many nodes");
}
