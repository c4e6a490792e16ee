// All nodes that this one knows of: their newest records, how old those are, and who has which address and name. Two
// nodes that know the same have the same digests.
#pragma once

#include <chrono>

#include "addresses.hpp"
#include "member.hpp"

namespace thole::mesh {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

inline constexpr std::size_t kMostMembers = 5000;

/// How often a node renews its record though nothing changed, and how long an unrenewed one keeps its name and static
/// address from a node of the same name.
inline constexpr milliseconds kRenewal = hours(1);
inline constexpr milliseconds kStale = hours(4);
/// How long a record is kept that its node does not renew.
inline constexpr milliseconds kExpiry = hours(7 * 24);
/// How long a tombstone is kept: longer than any record that it must outlive.
inline constexpr milliseconds kBurial = hours(8 * 24);

/// A part of the space of keys: those whose first `digits` hexadecimal digits are those of `prefix`.
struct KeyRange {
    std::uint8_t digits = 0;
    std::uint64_t prefix = 0;  // from the highest bit on; the rest is zero

    [[nodiscard]] KeyRange part(unsigned digit) const;
    [[nodiscard]] bool contains(std::uint64_t number) const;
};

/// The first eight bytes of a key, by which messages name nodes.
std::uint64_t key_prefix(const PublicKey& key);

struct RangeDigest {
    std::uint32_t count = 0;
    std::uint64_t digest = 0;

    friend bool operator==(const RangeDigest&, const RangeDigest&) = default;
};

enum class Merge : std::uint8_t {
    refused,  // no record, of another range, too old, or there is no room
    older,    // something newer is known
    same,
    changed,
};

/// Says whether a node answers, for who keeps an address over whom.
class Liveness {
   public:
    virtual ~Liveness() = default;
    virtual bool alive(const PublicKey& key) = 0;
};

class Members {
   public:
    Members(const Ranges& ranges, Liveness& liveness);

    /// Takes an encoded record in, `age` after its owner wrote it, where it is newer than what is known.
    Merge merge(Bytes content, milliseconds age, Instant now);

    /// Takes what this node itself says: its own record, or a tombstone.
    const Member& put(const NodeRecord& record, Instant now);

    [[nodiscard]] Member* find(const PublicKey& key) const;
    [[nodiscard]] Member* find_prefix(std::uint64_t prefix) const;

    /// By their keys' order.
    [[nodiscard]] std::span<const MemberPointer> all() const { return members_; }
    [[nodiscard]] std::span<const MemberPointer> in(const KeyRange& range) const;
    [[nodiscard]] RangeDigest digest(const KeyRange& range) const;
    /// Of the sixteen parts of a range.
    [[nodiscard]] std::array<RangeDigest, 16> part_digests(const KeyRange& range) const;

    /// Drops what is too old, but not `self`. Returns whether there was any.
    bool expire(const PublicKey& self, Instant now);

    /// Decides anew who has the address; call it for all that changed, and now and then for all.
    void decide_address(const Address& address, Instant now);
    void decide_addresses(Instant now);

    /// Who goes before all others that claim the address, whether or not it has it yet; null: nobody claims it.
    [[nodiscard]] Member* first_claimant(const Address& address, Instant now) const;

    /// The member that has the address; null: nobody, so far.
    [[nodiscard]] Member* holder(const Address& address) const;

    /// The member that a name stands for. Others of that name have it with digits of their key behind: unique_name().
    [[nodiscard]] const Member* named(std::string_view name, Instant now) const;
    [[nodiscard]] std::string unique_name(const Member& member, Instant now) const;

    /// Grows whenever an address was given to a member or taken from it.
    [[nodiscard]] std::uint64_t address_changes() const { return address_changes_; }

    /// The last reason why a record was refused.
    [[nodiscard]] std::string_view last_refusal() const { return last_refusal_; }

    [[nodiscard]] const Ranges& ranges() const { return ranges_; }

   private:
    [[nodiscard]] std::size_t position(const PublicKey& key) const;
    Member& insert(Bytes content, std::uint64_t check, Instant issued, Instant now);
    void add(Member& member);
    void remove(const Member& member);
    void make_room();
    void give_address(Member& member, bool has);
    [[nodiscard]] std::string_view reason_to_refuse(const NodeRecord& record) const;
    [[nodiscard]] static Claim claim_of(const Member& member, const Member& other, Instant now);

    Ranges ranges_;
    Liveness& liveness_;
    std::vector<MemberPointer> members_;  // by their keys' order
    Chains by_address_;                   // of those that are present
    Chains by_name_;
    RangeDigest all_;
    std::string_view last_refusal_;
    std::uint64_t address_changes_ = 0;
};

/// The encoded form of a member's record.
struct EncodedRecord {
    std::array<std::uint8_t, kLongestRecord> bytes{};
    std::size_t size = 0;

    [[nodiscard]] Bytes content() const { return Bytes(bytes).first(size); }
};
EncodedRecord encoded(const NodeRecord& record);

}  // namespace thole::mesh
