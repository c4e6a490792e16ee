#include "config/port_range.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "base/text.hpp"

namespace thole {

namespace {

constexpr std::array<std::string_view, 2> kProtocols{"tcp", "udp"};

bool is_digits(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char letter) { return letter >= '0' && letter <= '9'; });
}

Result<std::uint16_t> parse_port(std::string_view text) {
    const auto number = parse_integer(text, 1, 65'535);
    if (!number) {
        return with_context("the port", number.error());
    }
    return static_cast<std::uint16_t>(*number);
}

/// "; did you mean 'tcp/6443'?" for what has the right parts in another way, else what the form is.
std::string advice(std::string_view text) {
    const auto mark = text.find_first_of("/:");
    const auto left = text.substr(0, mark);
    const auto right = mark == std::string_view::npos ? std::string_view() : text.substr(mark + 1);
    if (right.empty() && is_digits(left)) {
        return concat("; did you mean 'tcp/", left, "' or 'udp/", left, "'?");
    }
    const bool turned = is_digits(left.substr(0, left.find('-')));
    const auto near = nearest_name(turned ? right : left, kProtocols);
    const auto ports = turned ? left : right;
    if (!near.empty() && !ports.empty()) {
        return concat("; did you mean '", near, "/", ports, "'?");
    }
    return ": it is tcp or udp, a slash, and a port or two with '-' between, such as tcp/6443 or udp/30000-32767";
}

}  // namespace

Result<PortRange> parse_port_range(std::string_view text) {
    const auto slash = text.find('/');
    const auto protocol = text.substr(0, slash);
    if (slash == std::string_view::npos || (protocol != "tcp" && protocol != "udp")) {
        return failure(concat("'", text, "' is no port", advice(text)));
    }
    const auto ports = text.substr(slash + 1);
    const auto dash = ports.find('-');
    const auto first = parse_port(ports.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : parse_port(ports.substr(dash + 1));
    if (!first || !last) {
        return with_context(concat("'", text, "'"), first ? last.error() : first.error());
    }
    if (*last < *first) {
        return failure(
            concat("'", text, "' ends before it begins; did you mean '", protocol, "/", *last, "-", *first, "'?"));
    }
    return PortRange{protocol == "tcp", *first, *last};
}

std::string port_range_text(const PortRange& range) {
    const std::string first = concat(range.tcp ? "tcp/" : "udp/", range.first);
    return range.last == range.first ? first : concat(first, "-", range.last);
}

}  // namespace thole
