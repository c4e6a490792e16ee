#include "addresses.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace thole::mesh {

namespace {

constexpr unsigned kShortestPrefix = 8;
constexpr unsigned kLongestPrefix = 28;

/// How many addresses an IPv4 range has.
std::uint32_t size_of(const Network& range) { return 1U << (32U - range.prefix); }

std::uint32_t offset_in(const Network& range, const Address& address) {
    std::uint32_t number = 0;
    for (std::size_t index = 0; index < 4; ++index) {
        number = number << 8U | address.bytes[index];
    }
    return number & (size_of(range) - 1);
}

std::uint64_t rank(const PublicKey& key) { return hash("thole claim", {key.bytes}).prefix(); }

}  // namespace

Status check_mesh_range(const Network& range) {
    if (range.address.family != AF_INET || range.prefix < kShortestPrefix || range.prefix > kLongestPrefix) {
        return failure(concat("the mesh range ", network_text(range),
                              " is not an IPv4 range with a prefix length from ", kShortestPrefix, " to ",
                              kLongestPrefix, ", such as 10.41.0.0/16"));
    }
    return {};
}

Network ula_range(const ClusterSecret& first) {
    const Digest digest = keyed_hash(first, "thole ula", {});
    Network range{{.family = AF_INET6, .bytes = {}}, 64};
    range.address.bytes[0] = 0xFD;
    // 40 bits of global ID; the subnet is 0.
    std::copy_n(digest.bytes.begin(), 5, range.address.bytes.begin() + 1);
    return range;
}

Address mesh_ipv6(const Network& range, const PublicKey& key) {
    Address address = network_base(range).address;
    std::copy_n(hash("thole ipv6", {key.bytes}).bytes.begin(), 8, address.bytes.begin() + 8);
    return address;
}

Address mesh_ipv4(const Network& range, const PublicKey& key, std::uint8_t attempt) {
    const std::uint32_t first = std::max(2U, size_of(range) / 16);
    const std::uint32_t count = size_of(range) - 1 - first;
    const std::uint64_t number = hash("thole ipv4", {key.bytes, {&attempt, 1}}).prefix();
    return network_address(range, first + static_cast<std::uint32_t>(number % count));
}

bool is_mesh_host(const Network& range, const Address& address) {
    if (!network_contains(range, address)) {
        return false;
    }
    const std::uint32_t offset = offset_in(range, address);
    return offset >= 2 && offset < size_of(range) - 1;
}

bool goes_before(const Claim& left, const Claim& right) {
    if (left.stale != right.stale) {
        return right.stale;
    }
    if (left.fixed != right.fixed) {
        return left.fixed;
    }
    // Not settled is 0, which comes last.
    const std::uint64_t left_settled = left.settled - 1;
    const std::uint64_t right_settled = right.settled - 1;
    if (left_settled != right_settled) {
        return left_settled < right_settled;
    }
    return rank(*left.key) < rank(*right.key);
}

}  // namespace thole::mesh
