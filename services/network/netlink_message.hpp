// The kernel's messages, read within their bounds, and what requests are made of.
#pragma once

#include <libmnl/libmnl.h>
#include <linux/netlink.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "config/address.hpp"

namespace thole {

/// A part of what the kernel sent. Messages in it begin at multiples of four bytes.
using NetlinkBytes = std::span<const char>;

/// A request in the making. It is wiped when it goes, because some carry keys.
class NetlinkRequest {
   public:
    NetlinkRequest(std::uint16_t type, std::uint16_t flags);
    ~NetlinkRequest();
    NetlinkRequest(const NetlinkRequest&) = delete;
    NetlinkRequest& operator=(const NetlinkRequest&) = delete;

    /// The kernel's fixed part behind the header; once, before all attributes.
    template <typename Extra>
    Extra* add_extra() {
        return static_cast<Extra*>(mnl_nlmsg_put_extra_header(message(), sizeof(Extra)));
    }

    /// The name of an interface or a family. One that no kernel would take is left out, and the request is refused.
    void put_name(std::uint16_t type, const std::string& name);

    void put_address(std::uint16_t type, const Address& address);

    nlmsghdr* message() { return header_; }

   private:
    static constexpr std::size_t kSize = 512;  // no request here is near it

    alignas(NLMSG_ALIGNTO) std::array<char, kSize> bytes_{};
    nlmsghdr* header_;
};

struct Attribute {
    std::uint16_t type = 0;  // without the flags of nested ones
    NetlinkBytes value;

    /// Nothing where the value has another size.
    template <typename Number>
    [[nodiscard]] std::optional<Number> number() const {
        Number read{};
        if (value.size() != sizeof read) {
            return std::nullopt;
        }
        std::memcpy(&read, value.data(), sizeof read);
        return read;
    }

    [[nodiscard]] std::optional<Address> address(sa_family_t family) const;

    /// Up to the first NUL.
    [[nodiscard]] std::string_view text() const;
};

/// Goes through attributes that stand one behind the other.
class Attributes {
   public:
    explicit Attributes(NetlinkBytes bytes) : rest_(bytes) {}

    std::optional<Attribute> next();

    /// An error where something was left that is no whole attribute.
    [[nodiscard]] Status finish() const;

   private:
    NetlinkBytes rest_;
};

/// What stands behind the header and `Extra`; nothing where the message is too short for that.
template <typename Extra>
struct MessageParts {
    Extra extra;
    NetlinkBytes attributes;
};

/// Takes the first message off a datagram; null where what is left is no whole one.
const nlmsghdr* take_message(NetlinkBytes& datagram);

NetlinkBytes message_content(const nlmsghdr& message);

template <typename Extra>
std::optional<MessageParts<Extra>> message_parts(const nlmsghdr& message) {
    const NetlinkBytes content = message_content(message);
    if (content.size() < sizeof(Extra)) {
        return std::nullopt;
    }
    MessageParts<Extra> parts{};
    std::memcpy(&parts.extra, content.data(), sizeof(Extra));
    parts.attributes =
        content.subspan(content.size() < MNL_ALIGN(sizeof(Extra)) ? content.size() : MNL_ALIGN(sizeof(Extra)));
    return parts;
}

}  // namespace thole
