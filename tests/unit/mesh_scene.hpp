// What the tests of the mesh share: keys by number, a cluster's ranges, and records that belong to them.
#pragma once

#include <cstring>
#include <string>

#include "gossip.hpp"

namespace thole::mesh {

inline PrivateKey private_key(std::uint32_t number) {
    const std::array<std::uint8_t, 4> bytes{static_cast<std::uint8_t>(number >> 24U),
                                            static_cast<std::uint8_t>(number >> 16U),
                                            static_cast<std::uint8_t>(number >> 8U), static_cast<std::uint8_t>(number)};
    return PrivateKey::from_random(hash("test key", {bytes}).bytes);
}

/// Hash instead of curve: a key that nobody has the private one of, at a hundredth of the time.
inline PublicKey public_key(std::uint32_t number) { return {private_key(number).bytes()}; }

inline ClusterSecret cluster_secret(std::uint8_t first = 1) {
    Block block{};
    block[0] = first;
    return ClusterSecret(block);
}

inline Ranges test_ranges() { return {*parse_network("10.41.0.0/16"), ula_range(cluster_secret())}; }

inline Endpoint endpoint(std::string_view address, std::uint16_t port = 51871) {
    return {parse_address(address).value_or(Address()), port};
}

inline NodeRecord record_of(std::uint32_t number, Version version = {1, 1}, std::uint8_t attempt = 0) {
    NodeRecord record;
    record.key = public_key(number);
    record.version = version;
    record.attempt = attempt;
    record.settled = 1'767'225'600;
    record.ipv4 = mesh_ipv4(test_ranges().ipv4, record.key, attempt);
    record.port = 51871;
    record.name = "node-" + std::to_string(number);
    record.roles = "worker";
    record.pods = {*parse_network("10.42.7.0/24")};
    record.endpoints = {{EndpointKind::local, endpoint("192.168.1.7")}};
    return record;
}

/// All are alive, or none.
struct FixedLiveness : Liveness {
    bool alive(const PublicKey& /*key*/) override { return answer; }
    bool answer = false;
};

inline Merge merge(Members& members, const NodeRecord& record, Instant now = {}, milliseconds age = {}) {
    return members.merge(encoded(record).content(), age, now);
}

}  // namespace thole::mesh
