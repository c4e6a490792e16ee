#include "netlink_message.hpp"

#include <algorithm>

namespace thole {

NetlinkRequest::NetlinkRequest(std::uint16_t type, std::uint16_t flags) : header_(mnl_nlmsg_put_header(bytes_.data())) {
    header_->nlmsg_type = type;
    header_->nlmsg_flags = static_cast<std::uint16_t>(flags | NLM_F_REQUEST);
}

NetlinkRequest::~NetlinkRequest() { ::explicit_bzero(bytes_.data(), bytes_.size()); }

void NetlinkRequest::put_name(std::uint16_t type, const std::string& name) {
    (void)mnl_attr_put_strz_check(header_, bytes_.size(), type, name.c_str());
}

void NetlinkRequest::put_address(std::uint16_t type, const Address& address) {
    mnl_attr_put(header_, type, address.size(), address.bytes.data());
}

std::optional<Address> Attribute::address(sa_family_t family) const {
    Address address{family, {}};
    if ((family != AF_INET && family != AF_INET6) || value.size() != address.size()) {
        return std::nullopt;
    }
    std::memcpy(address.bytes.data(), value.data(), value.size());
    return address;
}

std::string_view Attribute::text() const {
    return {value.data(), static_cast<std::size_t>(std::ranges::find(value, '\0') - value.begin())};
}

std::optional<Attribute> Attributes::next() {
    nlattr head{};
    if (rest_.size() < sizeof head) {
        return std::nullopt;
    }
    std::memcpy(&head, rest_.data(), sizeof head);
    if (head.nla_len < sizeof head || head.nla_len > rest_.size()) {
        return std::nullopt;
    }
    const Attribute found{static_cast<std::uint16_t>(head.nla_type & NLA_TYPE_MASK),
                          rest_.subspan(sizeof head, head.nla_len - sizeof head)};
    rest_ = rest_.subspan(std::min<std::size_t>(MNL_ALIGN(head.nla_len), rest_.size()));
    return found;
}

Status Attributes::finish() const {
    return rest_.empty() ? Status() : failure("the kernel's answer has an attribute that is cut short");
}

const nlmsghdr* take_message(NetlinkBytes& datagram) {
    const auto* message = reinterpret_cast<const nlmsghdr*>(datagram.data());
    // Not mnl_nlmsg_ok(), for which a length above 2 GiB is a negative number, and so short enough.
    if (datagram.size() < sizeof(nlmsghdr) || message->nlmsg_len < sizeof(nlmsghdr) ||
        message->nlmsg_len > datagram.size()) {
        return nullptr;
    }
    datagram = datagram.subspan(std::min<std::size_t>(MNL_ALIGN(message->nlmsg_len), datagram.size()));
    return message;
}

NetlinkBytes message_content(const nlmsghdr& message) {
    const auto* bytes = reinterpret_cast<const char*>(&message);
    return {bytes + MNL_NLMSG_HDRLEN, message.nlmsg_len - MNL_NLMSG_HDRLEN};
}

}  // namespace thole
