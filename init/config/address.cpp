#include "config/address.hpp"

#include <arpa/inet.h>

#include <algorithm>

#include "base/text.hpp"

namespace thole {

namespace {

constexpr std::size_t kLongestAddress = 45;  // an IPv6 address with an IPv4 tail

std::string ipv4_text(const Address& address) {
    return concat(address.bytes[0], ".", address.bytes[1], ".", address.bytes[2], ".", address.bytes[3]);
}

void append_hex(std::string& out, unsigned group) {
    constexpr std::string_view kHex = "0123456789abcdef";
    bool started = false;
    for (unsigned shift = 16; shift > 0;) {
        shift -= 4;
        const unsigned digit = (group >> shift) & 15U;
        started = started || digit != 0 || shift == 0;
        if (started) {
            out += kHex[digit];
        }
    }
}

struct Run {
    std::size_t start = 0;
    std::size_t length = 0;
};

/// The first longest run of at least two zero groups, which RFC 5952 writes as "::".
Run longest_zero_run(const std::array<unsigned, 8>& groups) {
    Run best;
    Run current;
    for (std::size_t index = 0; index < groups.size(); ++index) {
        if (groups[index] != 0) {
            current.length = 0;
            continue;
        }
        if (current.length++ == 0) {
            current.start = index;
        }
        if (current.length > best.length) {
            best = current;
        }
    }
    return best.length >= 2 ? best : Run{groups.size(), 0};
}

std::string ipv6_text(const Address& address) {
    std::array<unsigned, 8> groups{};
    for (std::size_t index = 0; index < groups.size(); ++index) {
        groups[index] = (unsigned{address.bytes[2 * index]} << 8U) | address.bytes[2 * index + 1];
    }
    const Run zeros = longest_zero_run(groups);
    std::string out;
    for (std::size_t index = 0; index < groups.size(); ++index) {
        if (index == zeros.start) {
            out += "::";
            index += zeros.length - 1;
            continue;
        }
        if (!out.empty() && out.back() != ':') {
            out += ':';
        }
        append_hex(out, groups[index]);
    }
    return out;
}

bool same_prefix(const Address& left, const Address& right, unsigned prefix) {
    if (left.family != right.family) {
        return false;
    }
    const std::size_t whole = prefix / 8;
    if (!std::equal(left.bytes.begin(), left.bytes.begin() + static_cast<std::ptrdiff_t>(whole), right.bytes.begin())) {
        return false;
    }
    const unsigned rest = prefix % 8;
    return rest == 0 || ((left.bytes[whole] ^ right.bytes[whole]) >> (8 - rest)) == 0;
}

}  // namespace

Result<Address> parse_address(std::string_view text) {
    Address address;
    address.family = text.find(':') == std::string_view::npos ? AF_INET : AF_INET6;
    if (text.empty() || text.size() > kLongestAddress ||
        ::inet_pton(address.family, std::string(text).c_str(), address.bytes.data()) != 1) {
        return failure(concat("'", text, "' is not an IP address such as 192.168.1.10 or fd00::10"));
    }
    return address;
}

Result<Network> parse_network(std::string_view text) {
    const auto slash = text.find('/');
    const auto address = parse_address(text.substr(0, slash));
    if (slash == std::string_view::npos || !address) {
        return failure(concat("'", text, "' is not an address with a prefix length such as 192.168.1.10/24"));
    }
    const auto prefix = parse_integer(text.substr(slash + 1), 0, static_cast<std::int64_t>(address->size()) * 8);
    if (!prefix) {
        return with_context(concat("the prefix length of '", text, "'"), prefix.error());
    }
    return Network{*address, static_cast<unsigned>(*prefix)};
}

std::string address_text(const Address& address) {
    return address.family == AF_INET ? ipv4_text(address) : ipv6_text(address);
}

std::string network_text(const Network& network) { return concat(address_text(network.address), "/", network.prefix); }

Network network_base(const Network& network) {
    Network base = network;
    for (std::size_t index = 0; index < base.address.bytes.size(); ++index) {
        const std::size_t first_bit = index * 8;
        if (first_bit >= base.prefix) {
            base.address.bytes[index] = 0;
        } else if (base.prefix - first_bit < 8) {
            const auto kept = static_cast<unsigned>(base.prefix - first_bit);
            base.address.bytes[index] &= static_cast<unsigned char>(0xFFU << (8 - kept));
        }
    }
    return base;
}

bool network_contains(const Network& network, const Address& address) {
    return same_prefix(network.address, address, network.prefix);
}

bool networks_overlap(const Network& left, const Network& right) {
    return same_prefix(left.address, right.address, std::min(left.prefix, right.prefix));
}

Address network_address(const Network& network, unsigned offset) {
    Address address = network_base(network).address;
    for (std::size_t index = address.size(); index-- > 0 && offset != 0;) {
        offset += address.bytes[index];
        address.bytes[index] = static_cast<unsigned char>(offset & 0xFFU);
        offset >>= 8U;
    }
    return address;
}

std::uint32_t network_size(const Network& network) { return std::uint32_t{1} << (32U - network.prefix); }

std::uint32_t network_offset(const Network& network, const Address& address) {
    std::uint32_t number = 0;
    for (std::size_t index = 0; index < 4; ++index) {
        number = (number << 8U) | address.bytes[index];
    }
    return number & (network_size(network) - 1);
}

std::string_view unusable_reason(const Address& address) {
    const bool zero = std::ranges::all_of(address.bytes, [](unsigned char byte) { return byte == 0; });
    if (zero) {
        return "it is the unspecified address";
    }
    if (address.family == AF_INET) {
        return address.bytes[0] == 127   ? "it is a loopback address"
               : address.bytes[0] == 0   ? "it lies in 0.0.0.0/8, which no interface can have"
               : address.bytes[0] >= 224 ? "it is a multicast, reserved or broadcast address"
                                         : "";
    }
    Address loopback{AF_INET6, {}};
    loopback.bytes[15] = 1;
    return address == loopback        ? "it is a loopback address"
           : address.bytes[0] == 0xFF ? "it is a multicast address"
                                      : "";
}

}  // namespace thole
