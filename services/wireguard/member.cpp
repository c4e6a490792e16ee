#include "member.hpp"

#include <algorithm>
#include <new>
#include <type_traits>

namespace thole::mesh {

static_assert(std::is_trivially_destructible_v<Member>, "MemberRelease gives back memory alone");

MemberPointer Member::make(Bytes record) {
    void* const block = ::operator new(sizeof(Member) + record.size());
    MemberPointer member(new (block) Member(record.size()));
    std::ranges::copy(record, static_cast<std::uint8_t*>(block) + sizeof(Member));
    return member;
}

Member* Chains::first(std::uint32_t number) const {
    return heads_.empty() ? nullptr : heads_[number & (heads_.size() - 1)];
}

/// Where the pointer to the member is, or has to be.
Member** Chains::place(const Member& member) {
    Member** at = &heads_[number_(member.record()) & (heads_.size() - 1)];
    while (*at != nullptr && (*at)->key() < member.key()) {
        at = &(*at)->next_[which_];
    }
    return at;
}

void Chains::add(Member& member) {
    Member** const at = place(member);
    member.next_[which_] = *at;
    *at = &member;
}

void Chains::remove(const Member& member) { *place(member) = member.next_[which_]; }

bool Chains::grow(std::size_t count) {
    // Half as many chains as members: a link costs less than a place in the table.
    if (count <= 2 * heads_.size()) {
        return false;
    }
    heads_.assign(std::max<std::size_t>(2 * heads_.size(), 16), nullptr);
    return true;
}

}  // namespace thole::mesh
