#include "members.hpp"

#include <algorithm>
#include <utility>

#include "base/text.hpp"

namespace thole::mesh {

namespace {

/// How often a change is told without being asked; what that misses, comparing digests finds.
constexpr std::uint8_t kTold = 4;

std::uint64_t check_of(Bytes content) { return hash("thole record", {content}).prefix(); }

/// For Chains.
std::uint32_t address_number(const Address& address) {
    return static_cast<std::uint32_t>(Reader(Bytes(address.bytes).first(4)).number(4));
}

std::uint32_t name_number(std::string_view name) {
    std::uint32_t number = 0;
    for (const char letter : name) {
        number = 31 * number + static_cast<unsigned char>(letter);
    }
    return number;
}

/// The number that a range's members share the digits of, and the first that is behind all of them (0: there is none).
std::uint64_t behind(const KeyRange& range) {
    return range.digits == 0 ? 0 : range.prefix + (std::uint64_t{1} << (64U - 4U * range.digits));
}

}  // namespace

KeyRange KeyRange::part(unsigned digit) const {
    const auto deeper = static_cast<std::uint8_t>(digits + 1);
    return {deeper, prefix | std::uint64_t{digit} << (64U - 4U * deeper)};
}

bool KeyRange::contains(std::uint64_t number) const {
    return digits == 0 || (number ^ prefix) >> (64U - 4U * digits) == 0;
}

std::uint64_t key_prefix(const PublicKey& key) { return Digest{key.bytes}.prefix(); }

EncodedRecord encoded(const NodeRecord& record) {
    EncodedRecord result;
    Writer out(result.bytes);
    write_record(out, record);
    result.size = out.size();
    return result;
}

Members::Members(const Ranges& ranges, Liveness& liveness)
    : ranges_(ranges),
      liveness_(liveness),
      by_address_([](const RecordView& record) { return address_number(record.ipv4()); }, 0),
      by_name_([](const RecordView& record) { return name_number(record.name()); }, 1) {}

Member* Members::find(const PublicKey& key) const {
    const std::size_t at = position(key);
    return at < members_.size() && members_[at]->key() == key ? members_[at].get() : nullptr;
}

Member* Members::find_prefix(std::uint64_t prefix) const {
    PublicKey key;
    for (std::size_t index = 0; index < 8; ++index) {
        key.bytes[index] = static_cast<std::uint8_t>(prefix >> (56U - 8U * index));
    }
    const std::size_t at = position(key);
    return at < members_.size() && key_prefix(members_[at]->key()) == prefix ? members_[at].get() : nullptr;
}

/// Of the first member whose key is not before this one.
std::size_t Members::position(const PublicKey& key) const {
    std::size_t first = 0;
    std::size_t end = members_.size();
    while (first < end) {
        const std::size_t middle = first + (end - first) / 2;
        if (members_[middle]->key() < key) {
            first = middle + 1;
        } else {
            end = middle;
        }
    }
    return first;
}

std::span<const MemberPointer> Members::in(const KeyRange& range) const {
    const auto from = [&](std::uint64_t number) {
        PublicKey key;
        for (std::size_t index = 0; index < 8; ++index) {
            key.bytes[index] = static_cast<std::uint8_t>(number >> (56U - 8U * index));
        }
        return position(key);
    };
    const std::size_t first = from(range.prefix);
    const std::size_t end = behind(range) == 0 ? members_.size() : from(behind(range));
    return std::span(members_).subspan(first, end - first);
}

RangeDigest Members::digest(const KeyRange& range) const {
    if (range.digits == 0) {
        return all_;
    }
    RangeDigest result;
    for (const auto& member : in(range)) {
        ++result.count;
        result.digest ^= member->check;
    }
    return result;
}

std::array<RangeDigest, 16> Members::part_digests(const KeyRange& range) const {
    std::array<RangeDigest, 16> parts;
    for (const auto& member : in(range)) {
        RangeDigest& part = parts[key_prefix(member->key()) >> (60U - 4U * range.digits) & 15U];
        ++part.count;
        part.digest ^= member->check;
    }
    return parts;
}

std::string_view Members::reason_to_refuse(const NodeRecord& record) const {
    if (record.forgotten) {
        return {};
    }
    if (!is_mesh_host(ranges_.ipv4, record.ipv4)) {
        return "its address is not in this node's mesh range";
    }
    if (!record.fixed_address && record.ipv4 != mesh_ipv4(ranges_.ipv4, record.key, record.attempt)) {
        return "its address does not come from its key";
    }
    return {};
}

Merge Members::merge(Bytes content, milliseconds age, Instant now) {
    const auto head = read_head(content);
    if (!head) {
        last_refusal_ = "it is no record";
        return Merge::refused;
    }
    const Member* const known = find(head->key);
    const Version known_version = known != nullptr ? known->record().version() : Version();
    if (head->version < known_version) {
        return Merge::older;
    }
    if (known != nullptr && std::ranges::equal(content, known->content())) {
        return Merge::same;
    }
    const bool tombstone = head->version == kForgotten;
    if (age > (tombstone ? kBurial : kExpiry)) {
        return Merge::older;
    }
    const std::uint64_t check = check_of(content);
    if (known != nullptr && head->version == known_version && check <= known->check) {
        // Two records of one version are a mistake, or a lie; all nodes keep the same of them.
        return Merge::older;
    }
    const auto record = read_record(content);
    last_refusal_ = !record ? "it is no record" : reason_to_refuse(*record);
    if (last_refusal_.empty() && known == nullptr && members_.size() >= kMostMembers) {
        last_refusal_ = "there are too many nodes";
    }
    if (!last_refusal_.empty()) {
        return Merge::refused;
    }
    insert(content, check, now + -age, now);
    return Merge::changed;
}

const Member& Members::put(const NodeRecord& record, Instant now) {
    const EncodedRecord content = encoded(record);
    return insert(content.content(), check_of(content.content()), now, now);
}

void Members::add(Member& member) {
    all_.digest ^= member.check;
    ++all_.count;
    if (!member.present()) {
        return;
    }
    by_address_.add(member);
    by_name_.add(member);
}

void Members::remove(const Member& member) {
    all_.digest ^= member.check;
    --all_.count;
    if (!member.present()) {
        return;
    }
    by_address_.remove(member);
    by_name_.remove(member);
}

Member& Members::insert(Bytes content, std::uint64_t check, Instant issued, Instant now) {
    MemberPointer fresh = Member::make(content);
    Member& member = *fresh;
    member.check = check;
    member.issued = issued;
    member.news = kTold;
    MemberPointer before;
    const std::size_t at = position(member.key());
    if (at == members_.size() || members_[at]->key() != member.key()) {
        make_room();
        members_.insert(members_.begin() + static_cast<std::ptrdiff_t>(at), std::move(fresh));
    } else {
        remove(*members_[at]);
        before = std::exchange(members_[at], std::move(fresh));
    }
    add(member);
    const RecordView record = member.record();
    if (before != nullptr && before->has_address) {
        member.has_address = member.present() && record.settled() != 0 && record.ipv4() == before->record().ipv4();
        if (!member.has_address) {
            ++address_changes_;
            decide_address(before->record().ipv4(), now);
        }
    }
    decide_address(record.ipv4(), now);
    return member;
}

/// For one member more: the chains' tables grow with them.
void Members::make_room() {
    if (!by_address_.grow(members_.size() + 1) || !by_name_.grow(members_.size() + 1)) {
        return;
    }
    all_ = {};
    for (const auto& member : members_) {
        add(*member);
    }
}

bool Members::expire(const PublicKey& self, Instant now) {
    const std::size_t expired = std::erase_if(members_, [&](const MemberPointer& member) {
        const milliseconds allowed = member->record().forgotten() ? kBurial : kExpiry;
        const bool old = member->key() != self && now - member->issued > allowed;
        if (old) {
            remove(*member);
        }
        return old;
    });
    if (expired > 0) {
        decide_addresses(now);
    }
    return expired > 0;
}

Claim Members::claim_of(const Member& member, const Member& other, Instant now) {
    const RecordView record = member.record();
    // A node that was made anew under its old name replaces what it was, once that has been silent for long.
    const bool stale = record.name() == other.record().name() && now - member.issued > kStale;
    return {stale, record.fixed_address(), record.settled(), &member.key()};
}

Member* Members::first_claimant(const Address& address, Instant now) const {
    Member* first = nullptr;
    for (Member* one = by_address_.first(address_number(address)); one != nullptr; one = by_address_.next(*one)) {
        if (one->record().ipv4() == address &&
            (first == nullptr || goes_before(claim_of(*one, *first, now), claim_of(*first, *one, now)))) {
            first = one;
        }
    }
    return first;
}

Member* Members::holder(const Address& address) const {
    Member* one = by_address_.first(address_number(address));
    while (one != nullptr && (!one->has_address || one->record().ipv4() != address)) {
        one = by_address_.next(*one);
    }
    return one;
}

void Members::decide_address(const Address& address, Instant now) {
    Member* const first = first_claimant(address, now);
    Member* const before = holder(address);
    // It is not taken from a node that uses it: that one gives it up by itself when it hears of the claim.
    if (first == nullptr || first == before || (before != nullptr && liveness_.alive(before->key()))) {
        return;
    }
    if (before != nullptr) {
        give_address(*before, false);
    }
    give_address(*first, first->record().settled() != 0);
}

void Members::give_address(Member& member, bool has) {
    address_changes_ += member.has_address != has ? 1 : 0;
    member.has_address = has;
}

void Members::decide_addresses(Instant now) {
    for (const auto& member : members_) {
        if (member->present() && !member->has_address) {
            decide_address(member->record().ipv4(), now);
        }
    }
}

const Member* Members::named(std::string_view name, Instant now) const {
    const auto claim = [&](const Member& one) {
        return Claim{now - one.issued > kStale, false, one.record().settled(), &one.key()};
    };
    const Member* first = nullptr;
    for (const Member* one = by_name_.first(name_number(name)); one != nullptr; one = by_name_.next(*one)) {
        if (one->record().name() == name && (first == nullptr || goes_before(claim(*one), claim(*first)))) {
            first = one;
        }
    }
    return first;
}

std::string Members::unique_name(const Member& member, Instant now) const {
    const std::string_view name = member.record().name();
    return named(name, now) == &member ? std::string(name) : concat(name, "-", fingerprint(member.key()).substr(0, 4));
}

}  // namespace thole::mesh
