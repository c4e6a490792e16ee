// Two nodes and more exchange what they know, message by message.
#include <doctest/doctest.h>

#include <deque>
#include <map>

#include "mesh_scene.hpp"

using namespace thole;
using namespace thole::mesh;

namespace {

constexpr Instant kStart{1'000'000'000};

/// Nodes that hear each other at once, message after message.
class Room {
   public:
    struct Node : Tunnel {
        Node(Room& all, std::uint32_t number) : room(all), key(public_key(number)) {}
        void send_inside(const PublicKey& to, Bytes message) override {
            CHECK(message.size() <= kLongestMessage);
            room.queue_.push_back({key, to, {message.begin(), message.end()}});
        }
        const PublicKey* any_peer() override { return room.other_than(*this); }
        const PublicKey* next_peer() override { return any_peer(); }
        bool admits(const RecordHead& head, Bytes /*content*/) override { return head.key != key; }
        void on_record(const Member& /*member*/) override { ++records; }
        void on_agreement() override { ++agreements; }
        std::uint32_t random() override { return room.random_ = room.random_ * 1'103'515'245U + 12345U; }

        Room& room;
        PublicKey key;
        FixedLiveness liveness;
        Members members{test_ranges(), liveness};
        Gossip gossip{members, *this};
        std::size_t records = 0;
        std::size_t agreements = 0;
    };

    Node& add(std::uint32_t number) {
        nodes_.push_back(std::make_unique<Node>(*this, number));
        nodes_.back()->members.put(record_of(number), kStart);
        return *nodes_.back();
    }

    const PublicKey* other_than(const Node& node) {
        if (nodes_.size() < 2) {
            return nullptr;
        }
        while (true) {
            random_ = random_ * 1'103'515'245U + 12345U;
            const auto& other = nodes_[(random_ >> 16U) % nodes_.size()];
            if (other.get() != &node) {
                return &other->key;
            }
        }
    }

    /// Delivers all messages and the answers to them; returns how many there were.
    std::size_t deliver(Instant now) {
        std::size_t count = 0;
        for (; !queue_.empty(); ++count) {
            const Letter letter = std::move(queue_.front());
            queue_.pop_front();
            bytes += letter.message.size();
            for (const auto& node : nodes_) {
                if (node->key == letter.to) {
                    CHECK(node->gossip.on_message(letter.from, letter.message, now));
                }
            }
        }
        return count;
    }

    std::size_t bytes = 0;

   private:
    struct Letter {
        PublicKey from;
        PublicKey to;
        std::vector<std::uint8_t> message;
    };
    std::deque<Letter> queue_;
    std::vector<std::unique_ptr<Node>> nodes_;
    std::uint32_t random_ = 1;
};

/// Compares until nothing is learned any more; returns the rounds that it took.
std::size_t compare_all(Room& room, Room::Node& one, const Room::Node& other) {
    for (std::size_t round = 1; round < 1'000; ++round) {
        one.gossip.compare_with(other.key);
        if (room.deliver(kStart) == 2) {
            return round;
        }
    }
    return 1'000;
}

}  // namespace

TEST_CASE("comparison: what differs is exchanged both ways, and only that") {
    Room room;
    auto& one = room.add(1);
    auto& other = room.add(2);
    for (std::uint32_t number = 10; number < 1010; ++number) {
        merge(one.members, record_of(number), kStart);
        merge(other.members, record_of(number), kStart);
    }
    merge(one.members, record_of(20, {1, 2}), kStart);
    merge(other.members, record_of(30, {1, 2}), kStart);
    one.records = other.records = 0;
    CHECK(compare_all(room, one, other) <= 3);
    CHECK(one.members.digest({}) == other.members.digest({}));
    CHECK(one.records == 2);
    CHECK(other.records == 2);
    MESSAGE("4 differences among 1002 nodes: " << room.bytes << " bytes");
}

TEST_CASE("comparison: a node that knows nothing learns of all") {
    for (const std::uint32_t size : {5U, 100U, 2'000U}) {
        Room room;
        auto& fresh = room.add(1);
        auto& old = room.add(2);
        for (std::uint32_t number = 10; number < 10 + size; ++number) {
            merge(old.members, record_of(number), kStart);
        }
        const std::size_t rounds = compare_all(room, fresh, old);
        CHECK(fresh.members.digest({}) == old.members.digest({}));
        CHECK(fresh.records == size + 1);
        MESSAGE(size << " records in " << rounds << " rounds, " << room.bytes << " bytes");
    }
}

TEST_CASE("comparison: agreement is said") {
    Room room;
    auto& one = room.add(1);
    auto& other = room.add(2);
    compare_all(room, one, other);
    CHECK(one.agreements > 0);
    CHECK(other.agreements > 0);
}

TEST_CASE("news: reaches all in a few rounds, and then there is quiet") {
    Room room;
    std::vector<Room::Node*> nodes;
    for (std::uint32_t number = 0; number < 50; ++number) {
        nodes.push_back(&room.add(number));
    }
    for (auto* const node : nodes) {
        for (std::uint32_t number = 0; number < 50; ++number) {
            merge(node->members, record_of(number), kStart);
        }
        for (const auto& member : node->members.all()) {
            member->news = 0;
        }
    }
    nodes[0]->members.put(record_of(0, {1, 2}), kStart);
    nodes[0]->gossip.wake(kStart);
    for (int tick = 0; tick < 100; ++tick) {
        const Instant now = kStart + milliseconds(100 * tick);
        for (auto* const node : nodes) {
            node->gossip.tick(now);
        }
        room.deliver(now);
    }
    for (auto* const node : nodes) {
        CHECK(node->members.find(public_key(0))->record().version() == Version{1, 2});
        CHECK(std::ranges::all_of(node->members.all(), [](const auto& member) { return member->news == 0; }));
    }
}

TEST_CASE("messages: ages are rounded up, so that they only grow on their way") {
    Room room;
    auto& one = room.add(1);
    auto& other = room.add(2);
    merge(one.members, record_of(3), kStart, milliseconds(1'500));
    compare_all(room, one, other);
    CHECK(kStart - other.members.find(public_key(3))->issued == milliseconds(2'000));
}

TEST_CASE("messages: what cannot be read is counted, and changes nothing") {
    Room room;
    auto& one = room.add(1);
    const PublicKey from = public_key(2);
    const std::vector<std::vector<std::uint8_t>> bad{{},
                                                     {1},
                                                     {1, 3, 0},
                                                     {2, 3, 0, 1},
                                                     {1, 3, 0, 1, 0},
                                                     {1, 1, 0, 1, 0, 0, 0, 0, 0xFF, 0xFF},
                                                     {1, 4, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 200},
                                                     {1, 6, 0, 1, 0}};
    for (const auto& message : bad) {
        const auto before = one.gossip.counts().bad;
        one.gossip.on_message(from, message, kStart);
        CHECK(one.gossip.counts().bad == before + 1);
    }
    CHECK(one.members.all().size() == 1);
    CHECK_FALSE(one.gossip.on_message(from, std::vector<std::uint8_t>{1, 7, 0, 1}, kStart));
    CHECK_FALSE(one.gossip.on_message(from, std::vector<std::uint8_t>{1, 0, 0, 1}, kStart));
}
