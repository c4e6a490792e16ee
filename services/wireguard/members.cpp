#include "members.hpp"

#include "base/text.hpp"

namespace thole::mesh {

namespace {

/// How often a change is told without being asked; what that misses, comparing digests finds.
constexpr std::uint8_t kTold = 4;

std::uint64_t check_of(Bytes content) { return hash("thole record", {content}).prefix(); }

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

Member* Members::find(const PublicKey& key) const {
    const std::size_t at = position(key);
    return at < members_.size() && members_[at]->record.key == key ? members_[at].get() : nullptr;
}

Member* Members::find_prefix(std::uint64_t prefix) const {
    PublicKey key;
    for (std::size_t index = 0; index < 8; ++index) {
        key.bytes[index] = static_cast<std::uint8_t>(prefix >> (56U - 8U * index));
    }
    const std::size_t at = position(key);
    return at < members_.size() && key_prefix(members_[at]->record.key) == prefix ? members_[at].get() : nullptr;
}

/// Of the first member whose key is not before this one.
std::size_t Members::position(const PublicKey& key) const {
    std::size_t first = 0;
    std::size_t end = members_.size();
    while (first < end) {
        const std::size_t middle = first + (end - first) / 2;
        if (members_[middle]->record.key < key) {
            first = middle + 1;
        } else {
            end = middle;
        }
    }
    return first;
}

std::span<const std::unique_ptr<Member>> Members::in(const KeyRange& range) const {
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
    RangeDigest result;
    for (const auto& member : in(range)) {
        ++result.count;
        result.digest ^= member->check;
    }
    return result;
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
    if (known != nullptr && head->version < known->record.version) {
        return Merge::older;
    }
    const bool tombstone = head->version == kForgotten;
    if (age > (tombstone ? kBurial : kExpiry)) {
        return Merge::older;
    }
    const std::uint64_t check = check_of(content);
    if (known != nullptr && head->version == known->record.version && check <= known->check) {
        // Two records of one version are a mistake, or a lie; all nodes keep the same of them.
        return check == known->check ? Merge::same : Merge::older;
    }
    auto record = read_record(content);
    last_refusal_ = !record ? "it is no record" : reason_to_refuse(*record);
    if (last_refusal_.empty() && known == nullptr && members_.size() >= kMostMembers) {
        last_refusal_ = "there are too many nodes";
    }
    if (!last_refusal_.empty()) {
        return Merge::refused;
    }
    insert(std::move(*record), check, now + -age, now);
    return Merge::changed;
}

const Member& Members::put(NodeRecord record, Instant now) {
    const std::uint64_t check = check_of(encoded(record).content());
    return insert(std::move(record), check, now, now);
}

Member& Members::insert(NodeRecord record, std::uint64_t check, Instant issued, Instant now) {
    const std::size_t at = position(record.key);
    if (at == members_.size() || members_[at]->record.key != record.key) {
        members_.insert(members_.begin() + static_cast<std::ptrdiff_t>(at), std::make_unique<Member>());
    }
    Member& member = *members_[at];
    const Address before = member.record.ipv4;
    const bool moved = before != record.ipv4 || record.left || record.forgotten || record.settled == 0;
    member.record = std::move(record);
    member.check = check;
    member.issued = issued;
    member.news = kTold;
    if (moved && member.has_address) {
        give_address(member, false);
        decide_address(before, now);
    }
    if (!member.record.forgotten) {
        decide_address(member.record.ipv4, now);
    }
    return member;
}

bool Members::expire(const PublicKey& self, Instant now) {
    std::vector<std::unique_ptr<Member>> kept;
    for (auto& member : members_) {
        const milliseconds allowed = member->record.forgotten ? kBurial : kExpiry;
        if (member->record.key == self || now - member->issued <= allowed) {
            kept.push_back(std::move(member));
        }
    }
    const bool any = kept.size() != members_.size();
    members_ = std::move(kept);
    if (any) {
        decide_addresses(now);
    }
    return any;
}

Claim Members::claim_of(const Member& member, const Member& other, Instant now) {
    const NodeRecord& record = member.record;
    // A node that was made anew under its old name replaces what it was, once that has been silent for long.
    const bool stale = record.name == other.record.name && now - member.issued > kStale;
    return {stale, record.fixed_address, record.settled, &record.key};
}

Member* Members::first_claimant(const Address& address, Instant now) const {
    Member* first = nullptr;
    for (const auto& member : members_) {
        if (member->present() && member->record.ipv4 == address &&
            (first == nullptr || goes_before(claim_of(*member, *first, now), claim_of(*first, *member, now)))) {
            first = member.get();
        }
    }
    return first;
}

void Members::decide_address(const Address& address, Instant now) {
    Member* const first = first_claimant(address, now);
    if (first == nullptr || first->has_address) {
        return;
    }
    for (const auto& member : members_) {
        if (!member->has_address || member->record.ipv4 != address) {
            continue;
        }
        // It is not taken from a node that uses it: that one gives it up by itself when it hears of the claim.
        if (member->present() && liveness_.alive(member->record.key)) {
            return;
        }
        give_address(*member, false);
    }
    give_address(*first, first->record.settled != 0);
}

void Members::give_address(Member& member, bool has) {
    address_changes_ += member.has_address != has ? 1 : 0;
    member.has_address = has;
}

void Members::decide_addresses(Instant now) {
    for (const auto& member : members_) {
        if (member->present() && !member->has_address) {
            decide_address(member->record.ipv4, now);
        }
    }
}

const Member* Members::named(std::string_view name, Instant now) const {
    const Member* first = nullptr;
    for (const auto& member : members_) {
        if (!member->present() || member->record.name != name) {
            continue;
        }
        const auto claim = [&](const Member& one) {
            return Claim{now - one.issued > kStale, false, one.record.settled, &one.record.key};
        };
        if (first == nullptr || goes_before(claim(*member), claim(*first))) {
            first = member.get();
        }
    }
    return first;
}

std::string Members::unique_name(const Member& member, Instant now) const {
    const std::string& name = member.record.name;
    return named(name, now) == &member ? name : concat(name, "-", fingerprint(member.record.key).substr(0, 4));
}

}  // namespace thole::mesh
