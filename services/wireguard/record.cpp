#include "record.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "config/value.hpp"

namespace thole::mesh {

namespace {

constexpr std::uint8_t kRecord = 1;
constexpr std::uint8_t kTombstone = 2;

constexpr std::uint8_t kLeft = 1;
constexpr std::uint8_t kFixed = 2;
constexpr std::uint8_t kSecretChanged = 4;  // the secret's version follows the port

// Where the parts begin.
constexpr std::size_t kKeyAt = 1;
constexpr std::size_t kVersionAt = 33;
constexpr std::size_t kFlagsAt = 41;
constexpr std::size_t kSettledAt = 43;
constexpr std::size_t kIpv4At = 51;
constexpr std::size_t kSecretAt = 57;
constexpr std::size_t kSecretSize = 8;

/// Lower-case words of letters, digits, hyphens and underscores with one blank between.
bool is_roles(std::string_view text) {
    if (text.size() > kLongestRoles) {
        return false;
    }
    char before = ' ';
    for (const char letter : text) {
        const bool inner =
            (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '-' || letter == '_';
        if (!inner && (letter != ' ' || before == ' ')) {
            return false;
        }
        before = letter;
    }
    return text.empty() || before != ' ';
}

void read_pods(Reader& in, std::vector<Network>& pods, bool& good) {
    const std::uint64_t count = in.number(1);
    good = good && count <= kMostPodRanges;
    for (std::uint64_t index = 0; good && index < count; ++index) {
        const Network pod{in.address(), static_cast<unsigned>(in.number(1))};
        good = !in.failed() && pod.prefix <= pod.address.size() * 8 && network_base(pod).address == pod.address;
        pods.push_back(pod);
    }
}

void read_endpoints(Reader& in, std::vector<KnownEndpoint>& endpoints, bool& good) {
    const std::uint64_t count = in.number(1);
    good = good && count <= kMostEndpoints;
    for (std::uint64_t index = 0; good && index < count; ++index) {
        const std::uint64_t kind = in.number(1);
        good = kind == static_cast<std::uint8_t>(EndpointKind::fixed) ||
               kind == static_cast<std::uint8_t>(EndpointKind::local);
        endpoints.push_back({static_cast<EndpointKind>(kind), in.endpoint()});
        good = good && !in.failed();
    }
}

/// What stands behind the head of a record.
bool read_body(Reader& in, NodeRecord& record) {
    const std::uint64_t flags = in.number(1);
    record.left = (flags & kLeft) != 0;
    record.fixed_address = (flags & kFixed) != 0;
    record.attempt = static_cast<std::uint8_t>(in.number(1));
    record.settled = in.number(8);
    record.ipv4.family = AF_INET;
    std::ranges::copy(in.bytes(4), record.ipv4.bytes.begin());
    record.port = static_cast<std::uint16_t>(in.number(2));
    const bool secret_changed = (flags & kSecretChanged) != 0;
    if (secret_changed) {
        record.secret.generation = static_cast<std::uint32_t>(in.number(4));
        record.secret.check = static_cast<std::uint32_t>(in.number(4));
    }
    record.name = in.text();
    record.roles = in.text();
    bool good = (flags & ~std::uint64_t{kLeft | kFixed | kSecretChanged}) == 0 &&
                secret_changed == (record.secret.generation != 0) && record.port != 0 && is_roles(record.roles) &&
                check_hostname(record.name, kLongestName) && unusable_reason(record.ipv4).empty();
    read_pods(in, record.pods, good);
    read_endpoints(in, record.endpoints, good);
    return good;
}

}  // namespace

void write_record(Writer& out, const NodeRecord& record) {
    out.number(record.forgotten ? kTombstone : kRecord, 1);
    out.bytes(record.key.bytes);
    if (record.forgotten) {
        out.bytes(record.forgotten_by.bytes);
        return;
    }
    out.number(record.version.epoch, 4);
    out.number(record.version.sequence, 4);
    const bool secret_changed = record.secret.generation != 0;
    out.number(
        (record.left ? kLeft : 0U) | (record.fixed_address ? kFixed : 0U) | (secret_changed ? kSecretChanged : 0U), 1);
    out.number(record.attempt, 1);
    out.number(record.settled, 8);
    out.bytes(Bytes(record.ipv4.bytes).first(4));
    out.number(record.port, 2);
    if (secret_changed) {
        out.number(record.secret.generation, 4);
        out.number(record.secret.check, 4);
    }
    out.text(record.name);
    out.text(record.roles);
    out.number(record.pods.size(), 1);
    for (const Network& pod : record.pods) {
        out.address(pod.address);
        out.number(pod.prefix, 1);
    }
    out.number(record.endpoints.size(), 1);
    for (const KnownEndpoint& endpoint : record.endpoints) {
        out.number(static_cast<std::uint8_t>(endpoint.kind), 1);
        out.endpoint(endpoint.where);
    }
}

std::optional<RecordHead> read_head(Bytes content) {
    Reader in(content);
    const std::uint64_t kind = in.number(1);
    RecordHead head{{in.block()}, kForgotten};
    if (kind == kRecord) {
        head.version.epoch = static_cast<std::uint32_t>(in.number(4));
        head.version.sequence = static_cast<std::uint32_t>(in.number(4));
    }
    const bool good = kind == kTombstone || (kind == kRecord && head.version < kForgotten);
    if (in.failed() || !good) {
        return std::nullopt;
    }
    return head;
}

std::optional<NodeRecord> read_record(Bytes content) {
    const auto head = read_head(content);
    if (!head || content.size() > kLongestRecord) {
        return std::nullopt;
    }
    Reader in(content);
    NodeRecord record;
    record.forgotten = in.number(1) == kTombstone;
    record.key.bytes = in.block();
    record.version = head->version;
    if (record.forgotten) {
        record.forgotten_by.bytes = in.block();
    } else {
        in.bytes(8);
        if (!read_body(in, record)) {
            return std::nullopt;
        }
    }
    if (!in.complete()) {
        return std::nullopt;
    }
    return record;
}

const PublicKey& RecordView::key() const { return *reinterpret_cast<const PublicKey*>(content_ + kKeyAt); }

bool RecordView::forgotten() const { return content_[0] == kTombstone; }

std::uint64_t RecordView::number(std::size_t at, std::size_t size) const {
    return forgotten() ? 0 : Reader({content_ + at, size}).number(size);
}

bool RecordView::flag(std::uint8_t which) const { return (number(kFlagsAt, 1) & which) != 0; }

Version RecordView::version() const {
    return forgotten() ? kForgotten
                       : Version{static_cast<std::uint32_t>(number(kVersionAt, 4)),
                                 static_cast<std::uint32_t>(number(kVersionAt + 4, 4))};
}

bool RecordView::left() const { return flag(kLeft); }

bool RecordView::fixed_address() const { return flag(kFixed); }

std::uint64_t RecordView::settled() const { return number(kSettledAt, 8); }

Address RecordView::ipv4() const {
    Address address;
    if (!forgotten()) {
        std::memcpy(address.bytes.data(), content_ + kIpv4At, 4);
    }
    return address;
}

SecretVersion RecordView::secret() const {
    if (!flag(kSecretChanged)) {
        return {};
    }
    return {static_cast<std::uint32_t>(number(kSecretAt, 4)), static_cast<std::uint32_t>(number(kSecretAt + 4, 4))};
}

std::string_view RecordView::name() const {
    const std::uint8_t* const text = content_ + kSecretAt + (flag(kSecretChanged) ? kSecretSize : 0);
    return forgotten() ? std::string_view() : std::string_view(reinterpret_cast<const char*>(text + 1), *text);
}

}  // namespace thole::mesh
