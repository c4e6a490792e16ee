// Messages of the kernel, made by hand: what the parsers' tests read.
#pragma once

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/wireguard.h>

#include <cstring>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "netlink_message.hpp"

namespace thole {

/// One datagram with any number of messages.
class Datagram {
   public:
    static constexpr std::uint32_t kSequence = 7;
    static constexpr std::uint32_t kPort = 4711;

    Datagram() { bytes_.reserve(65'536); }  // so that no message moves while it is made

    /// Begins a message.
    nlmsghdr* begin(std::uint16_t type, std::uint16_t flags = 0) {
        start_ = bytes_.size();
        bytes_.resize(65'536);
        message_ = mnl_nlmsg_put_header(bytes_.data() + start_);
        message_->nlmsg_type = type;
        message_->nlmsg_flags = flags;
        message_->nlmsg_seq = kSequence;
        message_->nlmsg_pid = kPort;
        return message_;
    }

    template <typename Extra>
    Extra* extra() {
        return static_cast<Extra*>(mnl_nlmsg_put_extra_header(message_, sizeof(Extra)));
    }

    void end() { bytes_.resize(start_ + MNL_ALIGN(message_->nlmsg_len)); }

    /// The end of a list, or an acknowledgement; `words` as the kernel's extended ones.
    void finish(std::uint16_t type, int code, std::string_view words = {}) {
        begin(type, static_cast<std::uint16_t>(words.empty() ? NLM_F_CAPPED : NLM_F_CAPPED | NLM_F_ACK_TLVS));
        if (type == NLMSG_ERROR) {
            auto* error = extra<nlmsgerr>();
            error->error = -code;
            error->msg.nlmsg_len = sizeof error->msg;
        } else {
            *extra<int>() = -code;
        }
        if (!words.empty()) {
            mnl_attr_put_strz(message_, NLMSGERR_ATTR_MSG, std::string(words).c_str());
        }
        end();
    }

    [[nodiscard]] NetlinkBytes content() const { return bytes_; }
    std::vector<char>& bytes() { return bytes_; }

   private:
    std::vector<char> bytes_;
    std::size_t start_ = 0;
    nlmsghdr* message_ = nullptr;
};

/// A peer's networks in an answer about a device; the caller ends the message.
inline void put_peer(nlmsghdr* message, const std::array<std::uint8_t, 32>& key,
                     std::initializer_list<std::string_view> allowed) {
    nlattr* peer = mnl_attr_nest_start(message, 0);
    mnl_attr_put(message, WGPEER_A_PUBLIC_KEY, key.size(), key.data());
    nlattr* list = mnl_attr_nest_start(message, WGPEER_A_ALLOWEDIPS);
    for (const auto text : allowed) {
        const Network network = parse_network(text).value_or(Network());
        nlattr* entry = mnl_attr_nest_start(message, 0);
        mnl_attr_put_u16(message, WGALLOWEDIP_A_FAMILY, static_cast<std::uint16_t>(network.address.family));
        mnl_attr_put(message, WGALLOWEDIP_A_IPADDR, network.address.size(), network.address.bytes.data());
        mnl_attr_put_u8(message, WGALLOWEDIP_A_CIDR_MASK, static_cast<std::uint8_t>(network.prefix));
        mnl_attr_nest_end(message, entry);
    }
    mnl_attr_nest_end(message, list);
    mnl_attr_nest_end(message, peer);
}

/// Begins an answer of WireGuard's about a link; put_peer()s may follow between `peers` and its end.
inline nlmsghdr* begin_device(Datagram& datagram, std::uint16_t flags = NLM_F_MULTI) {
    nlmsghdr* message = datagram.begin(0x20, flags);
    datagram.extra<genlmsghdr>()->cmd = WG_CMD_GET_DEVICE;
    return message;
}

}  // namespace thole
