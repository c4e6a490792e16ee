// What a node knows of another: its record, and what this node adds to it.
#pragma once

#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "os/clock.hpp"
#include "record.hpp"

namespace thole::mesh {

/// Later than all other times.
inline constexpr Instant kNever{std::numeric_limits<std::int64_t>::max()};

class Member;

struct MemberRelease {
    void operator()(Member* member) const { ::operator delete(member); }
};
using MemberPointer = std::unique_ptr<Member, MemberRelease>;

/// One block of memory with the encoded record behind it: there may be thousands of them.
class Member {
   public:
    /// Of a record that read_record() takes.
    static MemberPointer make(Bytes record);

    [[nodiscard]] Bytes content() const { return {bytes(), size_}; }
    [[nodiscard]] RecordView record() const { return RecordView(bytes()); }
    [[nodiscard]] const PublicKey& key() const { return record().key(); }
    /// The record with all that it says.
    [[nodiscard]] NodeRecord read() const { return *read_record(content()); }
    /// Not forgotten, and it did not leave.
    [[nodiscard]] bool present() const { return !record().forgotten() && !record().left(); }

    std::uint64_t check = 0;  // of the encoded record
    Instant issued;           // when its owner wrote it, by this node's clock

   private:
    friend class Chains;

    explicit Member(std::size_t size) : size_(static_cast<std::uint16_t>(size)) {}
    [[nodiscard]] const std::uint8_t* bytes() const { return reinterpret_cast<const std::uint8_t*>(this + 1); }

    std::array<Member*, 2> next_{};  // in Chains
    std::uint16_t size_;

   public:
    std::uint8_t news = 0;     // how often it will still be told without being asked
    bool has_address = false;  // the record's IPv4 address is the node's; else somebody else has it
};

/// Members by a number that comes from their records. They are chained through themselves, those of one number in the
/// order of their keys.
class Chains {
   public:
    using Number = std::uint32_t (*)(const RecordView& record);

    /// `which` of a member's links they use.
    Chains(Number number, std::size_t which) : number_(number), which_(which) {}

    void add(Member& member);
    void remove(const Member& member);
    /// Makes room for so many: all that are to be in it are added anew after it said true.
    bool grow(std::size_t count);

    /// The first that may have this number; some of another number are among those that follow.
    [[nodiscard]] Member* first(std::uint32_t number) const;
    [[nodiscard]] Member* next(const Member& member) const { return member.next_[which_]; }

   private:
    [[nodiscard]] Member** place(const Member& member);

    Number number_;
    std::size_t which_;
    std::vector<Member*> heads_;  // a power of two
};

}  // namespace thole::mesh
