// What the mesh knows of a node: the record that the node itself writes and versions, or the tombstone of one that a
// person had forgotten.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "wire.hpp"

namespace thole::mesh {

enum class EndpointKind : std::uint8_t {
    fixed = 1,     // a person wrote it into node.ini
    local = 2,     // an address of the node's own interfaces
    observed = 3,  // where a peer sees the node; never in a record, only its observer says it
};

struct KnownEndpoint {
    EndpointKind kind = EndpointKind::local;
    Endpoint where;

    friend bool operator==(const KnownEndpoint&, const KnownEndpoint&) = default;
};

/// The order of all that was ever said of one key: later boots after earlier ones, later words of a boot after earlier.
struct Version {
    std::uint32_t epoch = 0;
    std::uint32_t sequence = 0;

    friend auto operator<=>(const Version&, const Version&) = default;
};

/// Which of the cluster's secrets: they are numbered as they follow one another. Where two nodes changed it at the same
/// time, all take the one whose check is greater.
struct SecretVersion {
    std::uint32_t generation = 0;  // 0: what the cluster was made with, or a person wrote into node.ini
    std::uint32_t check = 0;       // of the secret; 0 for generation 0

    friend auto operator<=>(const SecretVersion&, const SecretVersion&) = default;
};

/// Above all versions that records have.
inline constexpr Version kForgotten{0xFFFFFFFFU, 0xFFFFFFFFU};

struct NodeRecord {
    PublicKey key;
    Version version;
    bool forgotten = false;  // a tombstone: of the rest only `forgotten_by` counts
    PublicKey forgotten_by;
    bool left = false;           // it went on purpose
    bool fixed_address = false;  // the IPv4 address is from node.ini
    std::uint8_t attempt = 0;    // which of the key's IPv4 addresses
    std::uint64_t settled = 0;   // see Claim
    Address ipv4;
    std::uint16_t port = 0;  // of WireGuard
    SecretVersion secret;    // the newest that the node has
    std::string name;
    std::string roles;  // words with one blank between
    std::vector<Network> pods;
    std::vector<KnownEndpoint> endpoints;
};

inline constexpr std::size_t kLongestName = 63;
inline constexpr std::size_t kLongestRoles = 64;
inline constexpr std::size_t kMostPodRanges = 2;
inline constexpr std::size_t kMostEndpoints = 6;
/// Bounds the encoded form, so that three fit into a message.
inline constexpr std::size_t kLongestRecord = 400;

/// Writes a record that keeps to the limits.
void write_record(Writer& out, const NodeRecord& record);

/// The record that `content` is, all of it. Only what write_record() would write is read; else there is nothing.
std::optional<NodeRecord> read_record(Bytes content);

/// A record in its encoded form, as read_record() takes it: each part is read from there when it is asked for.
class RecordView {
   public:
    explicit RecordView(const std::uint8_t* content) : content_(content) {}

    [[nodiscard]] const PublicKey& key() const;
    [[nodiscard]] Version version() const;
    [[nodiscard]] bool forgotten() const;
    // Of a tombstone the rest is empty, or zero.
    [[nodiscard]] bool left() const;
    [[nodiscard]] bool fixed_address() const;
    [[nodiscard]] std::uint64_t settled() const;
    [[nodiscard]] Address ipv4() const;
    [[nodiscard]] SecretVersion secret() const;
    [[nodiscard]] std::string_view name() const;

   private:
    [[nodiscard]] bool flag(std::uint8_t which) const;
    [[nodiscard]] std::uint64_t number(std::size_t at, std::size_t size) const;

    const std::uint8_t* content_;
};

/// The key and version that stand at a record's head, without a look at the rest.
struct RecordHead {
    PublicKey key;
    Version version;
};
std::optional<RecordHead> read_head(Bytes content);

}  // namespace thole::mesh
