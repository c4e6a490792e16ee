#include "netlink.hpp"

#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <array>
#include <cerrno>
#include <cstddef>

#include "base/text.hpp"

namespace thole {

namespace {

constexpr std::size_t kRequestSize = 512;  // no request here is near it
constexpr std::size_t kAnswerSize = 8192;

/// A request in the making, aligned as netlink wants it.
struct Request {
    alignas(NLMSG_ALIGNTO) std::array<char, kRequestSize> bytes{};

    nlmsghdr* begin(std::uint16_t type, std::uint16_t flags) {
        nlmsghdr* header = mnl_nlmsg_put_header(bytes.data());
        header->nlmsg_type = type;
        header->nlmsg_flags = static_cast<std::uint16_t>(flags | NLM_F_REQUEST);
        return header;
    }
};

template <typename Extra>
Extra* add_extra(nlmsghdr* message) {
    return static_cast<Extra*>(mnl_nlmsg_put_extra_header(message, sizeof(Extra)));
}

void put_address(nlmsghdr* message, std::uint16_t type, const Address& address) {
    mnl_attr_put(message, type, address.size(), address.bytes.data());
}

Result<unsigned> index_of(const std::string& interface) {
    const unsigned index = ::if_nametoindex(interface.c_str());
    if (index == 0) {
        return system_error("find the interface", interface);
    }
    return index;
}

struct Dump {
    std::vector<InterfaceAddress> found;
    InterfaceAddress current;
    bool complete = false;
};

int on_address_attribute(const nlattr* attribute, void* data) {
    auto& dump = *static_cast<Dump*>(data);
    Address& address = dump.current.network.address;
    // IFA_LOCAL is the interface's own where both are there (point-to-point).
    const bool wanted =
        mnl_attr_get_type(attribute) == IFA_LOCAL || (mnl_attr_get_type(attribute) == IFA_ADDRESS && !dump.complete);
    if (wanted && mnl_attr_get_payload_len(attribute) == address.size()) {
        const auto* bytes = static_cast<const unsigned char*>(mnl_attr_get_payload(attribute));
        std::copy(bytes, bytes + address.size(), address.bytes.begin());
        dump.complete = true;
    }
    return MNL_CB_OK;
}

int on_address(const nlmsghdr* message, void* data) {
    auto& dump = *static_cast<Dump*>(data);
    if (message->nlmsg_type != RTM_NEWADDR || mnl_nlmsg_get_payload_len(message) < sizeof(ifaddrmsg)) {
        return MNL_CB_OK;
    }
    const auto* address = static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(message));
    if (address->ifa_scope != RT_SCOPE_UNIVERSE ||
        (address->ifa_family != AF_INET && address->ifa_family != AF_INET6)) {
        return MNL_CB_OK;
    }
    dump.current = {address->ifa_index, {{address->ifa_family, {}}, address->ifa_prefixlen}};
    dump.complete = false;
    mnl_attr_parse(message, sizeof(ifaddrmsg), on_address_attribute, &dump);
    if (dump.complete) {
        dump.found.push_back(dump.current);
    }
    return MNL_CB_OK;
}

}  // namespace

void Netlink::Close::operator()(mnl_socket* socket) const { mnl_socket_close(socket); }

Result<Netlink> Netlink::open() {
    mnl_socket* socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (socket == nullptr) {
        return system_error("open a socket for", "rtnetlink");
    }
    Netlink netlink(socket);
    if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) != 0) {
        return system_error("bind a socket for", "rtnetlink");
    }
    return netlink;
}

Status Netlink::transact(nlmsghdr* message, std::string_view tried, std::string_view on, int ignored) {
    message->nlmsg_flags |= NLM_F_ACK;
    message->nlmsg_seq = ++sequence_;
    if (mnl_socket_sendto(socket_.get(), message, message->nlmsg_len) < 0) {
        return system_error(tried, on);
    }
    alignas(NLMSG_ALIGNTO) std::array<char, kAnswerSize> answer;
    while (true) {
        const ssize_t size = mnl_socket_recvfrom(socket_.get(), answer.data(), answer.size());
        if (size < 0 && errno == EINTR) {
            continue;
        }
        const int more = size < 0 ? MNL_CB_ERROR
                                  : mnl_cb_run(answer.data(), static_cast<std::size_t>(size), sequence_,
                                               mnl_socket_get_portid(socket_.get()), nullptr, nullptr);
        if (more == MNL_CB_ERROR && errno != ignored) {
            return system_error(tried, on);
        }
        if (more <= MNL_CB_STOP) {
            return {};
        }
    }
}

Status Netlink::link_up(const std::string& interface) {
    const auto index = index_of(interface);
    if (!index) {
        return std::unexpected(index.error());
    }
    Request request;
    nlmsghdr* message = request.begin(RTM_NEWLINK, 0);
    auto* link = add_extra<ifinfomsg>(message);
    link->ifi_family = AF_UNSPEC;
    link->ifi_index = static_cast<int>(*index);
    link->ifi_flags = IFF_UP;
    link->ifi_change = IFF_UP;
    return transact(message, "bring up the interface", interface, 0);
}

Status Netlink::add_dummy(const std::string& name) {
    Request request;
    nlmsghdr* message = request.begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    add_extra<ifinfomsg>(message)->ifi_family = AF_UNSPEC;
    mnl_attr_put_strz(message, IFLA_IFNAME, name.c_str());
    nlattr* information = mnl_attr_nest_start(message, IFLA_LINKINFO);
    mnl_attr_put_strz(message, IFLA_INFO_KIND, "dummy");
    mnl_attr_nest_end(message, information);
    return transact(message, "make the interface", name, EEXIST);
}

Status Netlink::add_address(const std::string& interface, const Network& address) {
    const auto index = index_of(interface);
    if (!index) {
        return std::unexpected(index.error());
    }
    Request request;
    nlmsghdr* message = request.begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
    auto* entry = add_extra<ifaddrmsg>(message);
    entry->ifa_family = static_cast<std::uint8_t>(address.address.family);
    entry->ifa_prefixlen = static_cast<std::uint8_t>(address.prefix);
    entry->ifa_scope = RT_SCOPE_UNIVERSE;
    entry->ifa_index = *index;
    put_address(message, IFA_LOCAL, address.address);
    put_address(message, IFA_ADDRESS, address.address);
    if (address.address.family == AF_INET && address.prefix < 31) {
        Address broadcast = address.address;
        for (unsigned bit = address.prefix; bit < 32; ++bit) {
            broadcast.bytes[bit / 8] |= static_cast<unsigned char>(0x80U >> (bit % 8));
        }
        put_address(message, IFA_BROADCAST, broadcast);
    } else if (address.address.family == AF_INET6) {
        entry->ifa_flags =
            IFA_F_NODAD;  // the person who wrote it down knows that it is free, and services bind to it at once
    }
    return transact(message, concat("give ", interface, " the address"), network_text(address), EEXIST);
}

Status Netlink::add_route(const Network& destination, const std::string& interface,
                          const std::optional<Address>& gateway) {
    const auto index = index_of(interface);
    if (!index) {
        return std::unexpected(index.error());
    }
    Request request;
    nlmsghdr* message = request.begin(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
    auto* route = add_extra<rtmsg>(message);
    route->rtm_family = static_cast<std::uint8_t>(destination.address.family);
    route->rtm_dst_len = static_cast<std::uint8_t>(destination.prefix);
    route->rtm_table = RT_TABLE_MAIN;
    route->rtm_protocol = RTPROT_STATIC;
    route->rtm_scope = gateway || destination.address.family == AF_INET6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
    route->rtm_type = RTN_UNICAST;
    if (destination.prefix > 0) {
        put_address(message, RTA_DST, destination.address);
    }
    if (gateway) {
        put_address(message, RTA_GATEWAY, *gateway);
    }
    mnl_attr_put_u32(message, RTA_OIF, *index);
    return transact(message, "add a route to", destination.prefix > 0 ? network_text(destination) : "everywhere", 0);
}

Result<std::vector<InterfaceAddress>> Netlink::addresses() {
    Request request;
    nlmsghdr* message = request.begin(RTM_GETADDR, NLM_F_DUMP);
    add_extra<ifaddrmsg>(message)->ifa_family = AF_UNSPEC;
    message->nlmsg_seq = ++sequence_;
    if (mnl_socket_sendto(socket_.get(), message, message->nlmsg_len) < 0) {
        return system_error("ask for the addresses of", "the interfaces");
    }
    Dump dump;
    alignas(NLMSG_ALIGNTO) std::array<char, kAnswerSize> answer;
    int more = MNL_CB_OK;
    while (more > MNL_CB_STOP) {
        const ssize_t size = mnl_socket_recvfrom(socket_.get(), answer.data(), answer.size());
        if (size < 0 && errno == EINTR) {
            continue;
        }
        more = size < 0 ? MNL_CB_ERROR
                        : mnl_cb_run(answer.data(), static_cast<std::size_t>(size), sequence_,
                                     mnl_socket_get_portid(socket_.get()), on_address, &dump);
    }
    if (more == MNL_CB_ERROR) {
        return system_error("read the addresses of", "the interfaces");
    }
    return std::move(dump.found);
}

}  // namespace thole
