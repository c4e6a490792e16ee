#include "device_messages.hpp"

#include <linux/genetlink.h>
#include <linux/wireguard.h>
#include <netinet/in.h>

#include <algorithm>

#include "base/text.hpp"

namespace thole::mesh {

namespace {

std::optional<PublicKey> read_key(const Attribute& attribute) {
    PublicKey key;
    if (attribute.value.size() != key.bytes.size()) {
        return std::nullopt;
    }
    std::memcpy(key.bytes.data(), attribute.value.data(), key.bytes.size());
    return key;
}

template <typename Socket>
std::optional<Socket> read_socket_address(NetlinkBytes value) {
    Socket address{};
    if (value.size() < sizeof address) {
        return std::nullopt;
    }
    std::memcpy(&address, value.data(), sizeof address);
    return address;
}

std::optional<Endpoint> read_endpoint(NetlinkBytes value) {
    const auto family = read_socket_address<sa_family_t>(value);
    if (family == AF_INET) {
        if (const auto address = read_socket_address<sockaddr_in>(value)) {
            Endpoint endpoint{{AF_INET, {}}, ntohs(address->sin_port)};
            std::memcpy(endpoint.address.bytes.data(), &address->sin_addr, sizeof address->sin_addr);
            return endpoint;
        }
    } else if (family == AF_INET6) {
        if (const auto address = read_socket_address<sockaddr_in6>(value)) {
            Endpoint endpoint{{AF_INET6, {}}, ntohs(address->sin6_port)};
            std::memcpy(endpoint.address.bytes.data(), &address->sin6_addr, sizeof address->sin6_addr);
            return endpoint;
        }
    }
    return std::nullopt;
}

/// The seconds of a struct __kernel_timespec; nothing where both its numbers are zero.
std::optional<std::uint64_t> read_time(NetlinkBytes value) {
    std::array<std::int64_t, 2> time{};
    if (value.size() != sizeof time) {
        return std::nullopt;
    }
    std::memcpy(time.data(), value.data(), sizeof time);
    if (time[0] < 0 || (time[0] == 0 && time[1] == 0)) {
        return std::nullopt;
    }
    return static_cast<std::uint64_t>(time[0]);
}

std::optional<Network> read_allowed(NetlinkBytes content) {
    Attributes attributes(content);
    sa_family_t family = AF_UNSPEC;
    std::optional<std::uint8_t> prefix;
    NetlinkBytes address;
    while (const auto attribute = attributes.next()) {
        switch (attribute->type) {
            case WGALLOWEDIP_A_FAMILY: family = attribute->number<std::uint16_t>().value_or(AF_UNSPEC); break;
            case WGALLOWEDIP_A_CIDR_MASK: prefix = attribute->number<std::uint8_t>(); break;
            case WGALLOWEDIP_A_IPADDR: address = attribute->value; break;
            default: break;
        }
    }
    const auto read = Attribute{0, address}.address(family);
    if (!read || !prefix || *prefix > read->size() * 8) {
        return std::nullopt;
    }
    return Network{*read, *prefix};
}

Status take_allowed(NetlinkBytes list, std::vector<Network>& allowed) {
    Attributes entries(list);
    while (const auto entry = entries.next()) {
        const auto network = read_allowed(entry->value);
        if (!network) {
            return failure("the kernel names an allowed network that is none");
        }
        allowed.push_back(*network);
    }
    return entries.finish();
}

bool put_number(nlmsghdr* message, std::size_t limit, std::uint16_t type, std::uint16_t number) {
    return mnl_attr_put_u16_check(message, limit, type, number);
}

bool put_endpoint(nlmsghdr* message, std::size_t limit, const Endpoint& endpoint) {
    if (endpoint.address.family == AF_INET) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(endpoint.port);
        std::memcpy(&address.sin_addr, endpoint.address.bytes.data(), sizeof address.sin_addr);
        return mnl_attr_put_check(message, limit, WGPEER_A_ENDPOINT, sizeof address, &address);
    }
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(endpoint.port);
    std::memcpy(&address.sin6_addr, endpoint.address.bytes.data(), sizeof address.sin6_addr);
    return mnl_attr_put_check(message, limit, WGPEER_A_ENDPOINT, sizeof address, &address);
}

/// All of the network's attributes or none.
bool put_allowed(nlmsghdr* message, std::size_t limit, const Network& network) {
    nlattr* nest = mnl_attr_nest_start_check(message, limit, 0);
    if (nest == nullptr) {
        return false;
    }
    const Address& address = network.address;
    if (!put_number(message, limit, WGALLOWEDIP_A_FAMILY, static_cast<std::uint16_t>(address.family)) ||
        !mnl_attr_put_check(message, limit, WGALLOWEDIP_A_IPADDR, address.size(), address.bytes.data()) ||
        !mnl_attr_put_u8_check(message, limit, WGALLOWEDIP_A_CIDR_MASK, static_cast<std::uint8_t>(network.prefix))) {
        mnl_attr_nest_cancel(message, nest);
        return false;
    }
    mnl_attr_nest_end(message, nest);
    return true;
}

std::uint32_t flags_of(const PeerChange& change) {
    return change.remove ? WGPEER_F_REMOVE_ME : change.allowed ? WGPEER_F_REPLACE_ALLOWEDIPS : 0;
}

}  // namespace

Status DeviceReader::take(const nlmsghdr& message) {
    const auto parts = message_parts<genlmsghdr>(message);
    if (!parts || parts->extra.cmd != WG_CMD_GET_DEVICE) {
        return {};
    }
    found_ = true;
    Attributes attributes(parts->attributes);
    while (const auto attribute = attributes.next()) {
        switch (attribute->type) {
            case WGDEVICE_A_IFINDEX: device_.index = attribute->number<std::uint32_t>().value_or(0); break;
            case WGDEVICE_A_LISTEN_PORT: device_.port = attribute->number<std::uint16_t>().value_or(0); break;
            case WGDEVICE_A_PUBLIC_KEY: device_.key = read_key(*attribute).value_or(PublicKey()); break;
            case WGDEVICE_A_PEERS:
                if (auto taken = take_peers(attribute->value); !taken) {
                    return taken;
                }
                break;
            default: break;
        }
    }
    return attributes.finish();
}

Status DeviceReader::take_peers(NetlinkBytes list) {
    Attributes entries(list);
    while (const auto entry = entries.next()) {
        if (auto taken = take_peer(entry->value); !taken) {
            return taken;
        }
    }
    return entries.finish();
}

Status DeviceReader::take_peer(NetlinkBytes content) {
    DevicePeer peer;
    std::optional<PublicKey> key;
    Attributes attributes(content);
    while (const auto attribute = attributes.next()) {
        switch (attribute->type) {
            case WGPEER_A_PUBLIC_KEY: key = read_key(*attribute); break;
            case WGPEER_A_ENDPOINT: peer.endpoint = read_endpoint(attribute->value); break;
            case WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL:
                peer.keepalive = std::chrono::seconds(attribute->number<std::uint16_t>().value_or(0));
                break;
            case WGPEER_A_LAST_HANDSHAKE_TIME: peer.handshake_seconds = read_time(attribute->value); break;
            case WGPEER_A_RX_BYTES: peer.received = attribute->number<std::uint64_t>().value_or(0); break;
            case WGPEER_A_TX_BYTES: peer.sent = attribute->number<std::uint64_t>().value_or(0); break;
            case WGPEER_A_ALLOWEDIPS:
                if (auto taken = take_allowed(attribute->value, peer.allowed); !taken) {
                    return taken;
                }
                break;
            default: break;
        }
    }
    if (auto whole = attributes.finish(); !whole) {
        return whole;
    }
    if (!key) {
        return failure("the kernel names a peer without a key");
    }
    peer.key = *key;
    if (!device_.peers.empty() && device_.peers.back().key == *key) {
        for (const Network& network : peer.allowed) {
            device_.peers.back().allowed.push_back(network);
        }
    } else {
        device_.peers.push_back(std::move(peer));
    }
    return {};
}

std::optional<std::uint16_t> parse_family(const nlmsghdr& message) {
    const auto parts = message_parts<genlmsghdr>(message);
    if (message.nlmsg_type != GENL_ID_CTRL || !parts) {
        return std::nullopt;
    }
    Attributes attributes(parts->attributes);
    while (const auto attribute = attributes.next()) {
        if (attribute->type == CTRL_ATTR_FAMILY_ID) {
            return attribute->number<std::uint16_t>();
        }
    }
    return std::nullopt;
}

bool PeerMessages::put_head(const PeerChange& change) {
    if (!mnl_attr_put_check(message_, limit_, WGPEER_A_PUBLIC_KEY, change.key.bytes.size(), change.key.bytes.data())) {
        return false;
    }
    if (continued_) {
        return true;
    }
    const std::uint32_t flags = flags_of(change);
    return (flags == 0 || mnl_attr_put_u32_check(message_, limit_, WGPEER_A_FLAGS, flags)) &&
           (change.remove || ((!change.endpoint || put_endpoint(message_, limit_, *change.endpoint)) &&
                              (!change.keepalive || put_number(message_, limit_, WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL,
                                                               static_cast<std::uint16_t>(std::clamp<std::int64_t>(
                                                                   change.keepalive->count(), 0, 65'535))))));
}

bool PeerMessages::put_networks(const PeerChange& change) {
    if (change.remove || !change.allowed || network_ == change.allowed->size()) {
        return true;
    }
    nlattr* nest = mnl_attr_nest_start_check(message_, limit_, WGPEER_A_ALLOWEDIPS);
    if (nest == nullptr) {
        return false;
    }
    while (network_ < change.allowed->size() && put_allowed(message_, limit_, (*change.allowed)[network_])) {
        ++network_;
    }
    mnl_attr_nest_end(message_, nest);
    return network_ == change.allowed->size();
}

/// Writes the peer that is next. False: not all of it fits.
bool PeerMessages::put_peer() {
    const PeerChange& change = changes_[change_];
    nlattr* nest = mnl_attr_nest_start_check(message_, limit_, 0);
    if (nest == nullptr) {
        return false;
    }
    if (!put_head(change)) {
        mnl_attr_nest_cancel(message_, nest);
        return false;
    }
    const bool complete = put_networks(change);
    mnl_attr_nest_end(message_, nest);
    change_ += complete ? 1 : 0;
    network_ = complete ? 0 : network_;
    continued_ = !complete;
    return complete;
}

nlmsghdr* PeerMessages::next() {
    if (change_ == changes_.size()) {
        return nullptr;
    }
    message_ = mnl_nlmsg_put_header(bytes_.data());
    message_->nlmsg_type = family_;
    message_->nlmsg_flags = NLM_F_REQUEST;
    auto* command = static_cast<genlmsghdr*>(mnl_nlmsg_put_extra_header(message_, sizeof(genlmsghdr)));
    command->cmd = WG_CMD_SET_DEVICE;
    command->version = WG_GENL_VERSION;
    (void)mnl_attr_put_strz_check(message_, limit_, WGDEVICE_A_IFNAME, link_.c_str());
    nlattr* peers = mnl_attr_nest_start(message_, WGDEVICE_A_PEERS);
    const std::uint32_t empty = message_->nlmsg_len;
    while (change_ < changes_.size() && put_peer()) {
    }
    mnl_attr_nest_end(message_, peers);
    return message_->nlmsg_len == empty ? nullptr : message_;  // a limit that not even one peer keeps to
}

}  // namespace thole::mesh
