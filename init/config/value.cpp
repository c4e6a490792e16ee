#include "config/value.hpp"

#include <algorithm>
#include <vector>

#include "base/text.hpp"
#include "config/address.hpp"
#include "config/field_list.hpp"
#include "config/path.hpp"
#include "config/port_range.hpp"

namespace thole {

namespace {

/// The canonical form where the check went well, else its error.
Result<std::string> checked(const Status& status, std::string_view canonical) {
    if (!status) {
        return std::unexpected(status.error());
    }
    return std::string(canonical);
}

Result<std::string> canonical_integer(std::string_view value, const Key& key) {
    const auto number = parse_integer(value, key.minimum, key.maximum);
    return number ? Result<std::string>(to_text(*number)) : std::unexpected(number.error());
}

constexpr std::size_t kLongestHostname = 253;
constexpr std::size_t kLongestLabel = 63;
constexpr std::size_t kLongestList = 16;

bool is_lower_or_digit(char letter) { return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9'); }

bool is_label(std::string_view label) {
    return !label.empty() && label.size() <= kLongestLabel && label.front() != '-' && label.back() != '-' &&
           std::ranges::all_of(label, [](char letter) { return is_lower_or_digit(letter) || letter == '-'; });
}

std::string lower_case(std::string_view text) {
    std::string lower(text);
    for (char& letter : lower) {
        if (letter >= 'A' && letter <= 'Z') {
            letter = static_cast<char>(letter - 'A' + 'a');
        }
    }
    return lower;
}

std::vector<std::string_view> list_items(std::string_view value) {
    std::vector<std::string_view> items;
    for (const auto word : split_words(value)) {
        for (const auto item : split(word, ',')) {
            if (!item.empty()) {
                items.push_back(item);
            }
        }
    }
    return items;
}

Result<std::string> canonical_text(std::string_view value) {
    const auto bad = std::ranges::find_if(value, [](char letter) { return static_cast<unsigned char>(letter) < 0x20; });
    if (bad != value.end()) {
        return failure(concat("a control character (code ", static_cast<int>(*bad), ") in it"));
    }
    return std::string(value);
}

Result<std::string> canonical_hostname(const Key& key, std::string_view value) {
    const std::size_t longest = key.maximum > 0 ? static_cast<std::size_t>(key.maximum) : kLongestHostname;
    return checked(check_hostname(value, longest), value);
}

Result<std::string> canonical_host(const Key& /*key*/, std::string_view value) {
    if (const auto address = parse_address(value)) {
        return address_text(*address);
    }
    std::string name = lower_case(value);
    if (!check_hostname(name, kLongestHostname)) {
        return failure(concat("'", value, "' is neither a host name nor an IP address"));
    }
    return name;
}

constexpr std::int64_t kGreatestPort = 65535;

/// HOST, HOST:PORT, IPV6 or [IPV6]:PORT.
Result<std::string> canonical_host_port(const Key& key, std::string_view value) {
    if (parse_address(value)) {
        return canonical_host(key, value);
    }
    const auto colon = value.rfind(':');
    std::string_view host = value.substr(0, colon);
    const bool brackets = host.starts_with('[') && host.ends_with(']');
    host = brackets ? host.substr(1, host.size() - 2) : host;
    const auto canonical = canonical_host(key, host);
    if (!canonical) {
        return canonical;
    }
    if (brackets != (canonical->find(':') != std::string::npos)) {
        return failure(concat("'", value, "' is neither HOST:PORT nor [IPV6-ADDRESS]:PORT"));
    }
    if (colon == std::string_view::npos) {
        return canonical;
    }
    const auto port = parse_integer(value.substr(colon + 1), 1, kGreatestPort);
    if (!port) {
        return with_context(concat("the port of '", value, "'"), port.error());
    }
    return brackets ? concat("[", *canonical, "]:", *port) : concat(*canonical, ":", *port);
}

/// 43 letters of base64 and '='; the last letter carries only four bits.
Result<std::string> canonical_key(const Key& /*key*/, std::string_view value) {
    constexpr std::size_t kLength = 44;
    const auto is_letter = [](char letter) {
        return is_lower_or_digit(letter) || (letter >= 'A' && letter <= 'Z') || letter == '+' || letter == '/';
    };
    if (value.size() != kLength || value.back() != '=' ||
        !std::ranges::all_of(value.substr(0, kLength - 1), is_letter) ||
        std::string_view("AEIMQUYcgkosw048").find(value[kLength - 2]) == std::string_view::npos) {
        return failure(concat("it has ", value.size(),
                              " letters and is not a key: that is 32 bytes in base64, 44 letters "
                              "of which the last is '='. `./thole config new` makes one"));
    }
    return std::string(value);
}

Result<std::string> canonical_address(const Key& /*key*/, std::string_view value) {
    const auto address = parse_address(value);
    if (!address) {
        return std::unexpected(address.error());
    }
    if (const auto reason = unusable_reason(*address); !reason.empty()) {
        return failure(concat("'", value, "' cannot be used: ", reason));
    }
    return address_text(*address);
}

Result<std::string> canonical_interface_address(std::string_view value) {
    const auto network = parse_network(value);
    if (!network) {
        return std::unexpected(network.error());
    }
    if (const auto reason = unusable_reason(network->address); !reason.empty()) {
        return failure(concat("'", value, "' cannot be used: ", reason));
    }
    const unsigned bits = static_cast<unsigned>(network->address.size()) * 8;
    if (network->prefix == 0) {
        return failure(concat("'", value, "' cannot be used: a prefix length of 0 is the whole internet"));
    }
    if (network->prefix + 1 < bits && network_base(*network).address == network->address) {
        return failure(concat("'", value, "' is a network's own address, not a machine's"));
    }
    return network_text(*network);
}

Status check_prefix(const Key& key, const Network& network) {
    const bool ipv4 = network.address.family == AF_INET;
    if (ipv4 ? key.minimum > key.maximum : key.minimum_ipv6 > key.maximum_ipv6) {
        return failure(concat("no ", ipv4 ? "IPv4" : "IPv6", " range can be here"));
    }
    const auto prefix = parse_integer(to_text(network.prefix), ipv4 ? key.minimum : key.minimum_ipv6,
                                      ipv4 ? key.maximum : key.maximum_ipv6);
    return prefix ? Status() : std::unexpected(prefix.error());
}

Result<std::string> canonical_network(const Key& key, std::string_view value) {
    const auto network = parse_network(value);
    if (!network) {
        return std::unexpected(network.error());
    }
    const Network base = network_base(*network);
    if (base.address != network->address) {
        return failure(concat("'", value, "' has bits behind its prefix; the range is ", network_text(base)));
    }
    if (const auto checked = check_prefix(key, base); !checked) {
        return with_context(concat("the prefix length of '", value, "'"), checked.error());
    }
    return network_text(base);
}

Status check_families(std::span<const std::string> networks) {
    const auto is_ipv6 = [](const std::string& text) { return text.find(':') != std::string::npos; };
    const auto ipv6 = std::ranges::count_if(networks, is_ipv6);
    if (ipv6 > 1 || static_cast<std::ptrdiff_t>(networks.size()) - ipv6 > 1) {
        return failure("there can be one IPv4 range and one IPv6 range, not two of a kind");
    }
    return {};
}

using Canonical = Result<std::string> (*)(const Key& key, std::string_view value);

Result<std::string> canonical_list(const Key& key, std::string_view value, Canonical canonical) {
    std::vector<std::string> items;
    for (const auto item : list_items(value)) {
        auto one = canonical(key, item);
        if (!one) {
            return one;
        }
        if (std::ranges::find(items, *one) != items.end()) {
            return failure(concat("'", item, "' stands there twice"));
        }
        items.push_back(std::move(*one));
    }
    const bool counted =
        key.type == KeyType::address_list || key.type == KeyType::host_port_list || key.type == KeyType::port_list;
    const std::size_t longest = counted                           ? static_cast<std::size_t>(key.maximum)
                                : key.type == KeyType::field_list ? kLongestFieldList
                                                                  : kLongestList;
    if (items.size() > longest) {
        return failure(concat(items.size(), " items are too many: the most is ", longest));
    }
    return join(items, ",");
}

Result<std::string> canonical_networks(const Key& key, std::string_view value) {
    auto list = canonical_list(key, value, canonical_network);
    if (!list) {
        return list;
    }
    std::vector<std::string> networks;
    for (const auto item : list_items(*list)) {
        networks.emplace_back(item);
    }
    if (const auto checked = check_families(networks); !checked) {
        return std::unexpected(checked.error());
    }
    return list;
}

Result<std::string> canonical_boolean(std::string_view value) {
    const auto yes = parse_boolean(lower_case(value));
    return checked(yes ? Status() : std::unexpected(yes.error()), yes.value_or(false) ? "yes" : "no");
}

Result<std::string> canonical_word(const Key& /*key*/, std::string_view value) {
    if (!std::ranges::all_of(value,
                             [](char letter) { return is_lower_or_digit(letter) || letter == '-' || letter == '_'; })) {
        return failure(concat("'", value, "' is not a name of lower-case letters, digits, '-' and '_'"));
    }
    return std::string(value);
}

Result<std::string> canonical_ports(const Key& /*key*/, std::string_view value) {
    const auto range = parse_port_range(lower_case(value));
    if (!range) {
        return std::unexpected(range.error());
    }
    return port_range_text(*range);
}

/// Less than the kernel takes: these names stand in rules for nft.
Result<std::string> canonical_interface_pattern(const Key& /*key*/, std::string_view value) {
    const auto name = value.substr(0, value.size() - (value.ends_with('*') ? 1 : 0));
    const bool plain = std::ranges::all_of(name, [](char letter) {
        return is_lower_or_digit(letter) || (letter >= 'A' && letter <= 'Z') ||
               std::string_view("._-@").find(letter) != std::string_view::npos;
    });
    if (value == "*") {
        return failure("'*' trusts every interface: firewall.enabled = no says so more clearly");
    }
    if (!plain || !is_interface_name(name)) {
        return failure(concat("'", value, "' is not an interface's name, nor the beginning of one and a '*'"));
    }
    return std::string(value);
}

Result<std::string> canonical_duration(std::string_view value) {
    const auto duration = parse_duration(value);
    return checked(duration ? Status() : std::unexpected(duration.error()), value);
}

bool is_word_of(const Key& key, std::string_view value) {
    const auto words = split_words(key.words);
    return std::ranges::find(words, value) != words.end();
}

Result<std::string> canonical_choice(const Key& key, std::string_view value) {
    return checked(is_word_of(key, value) ? Status() : failure(concat("'", value, "' is not allowed")), value);
}

Result<std::string> canonical_of_type(const Key& key, std::string_view value) {
    switch (key.type) {
        case KeyType::text: return canonical_text(value);
        case KeyType::hostname: return canonical_hostname(key, value);
        case KeyType::words: return canonical_list(key, value, canonical_word);
        case KeyType::duration: return canonical_duration(value);
        case KeyType::host_list: return canonical_list(key, value, canonical_host);
        case KeyType::boolean: return canonical_boolean(value);
        case KeyType::integer: return canonical_integer(value, key);
        case KeyType::interface:
            if (is_interface_name(value)) {
                return std::string(value);
            }
            break;
        case KeyType::address: return canonical_address(key, value);
        case KeyType::address_list: return canonical_list(key, value, canonical_address);
        case KeyType::interface_address: return canonical_interface_address(value);
        case KeyType::network_list: return canonical_networks(key, value);
        case KeyType::key: return canonical_key(key, value);
        case KeyType::key_list: return canonical_list(key, value, canonical_key);
        case KeyType::host_port_list: return canonical_list(key, value, canonical_host_port);
        case KeyType::port_list: return canonical_list(key, value, canonical_ports);
        case KeyType::path_list: return canonical_list(key, value, canonical_path);
        case KeyType::interface_list: return canonical_list(key, value, canonical_interface_pattern);
        case KeyType::choice_list: return canonical_list(key, value, canonical_choice);
        case KeyType::field_list: return canonical_list(key, value, canonical_fields);
        case KeyType::choice: break;
    }
    return failure(concat("'", value, "' is not allowed"));
}

std::string type_text(const Key& key) {
    switch (key.type) {
        case KeyType::text: return "text";
        case KeyType::hostname: return "a host name";
        case KeyType::words: return "names";
        case KeyType::duration: return "a time such as 30s";
        case KeyType::host_list: return "host names or addresses";
        case KeyType::boolean: return "yes or no";
        case KeyType::integer: return concat(key.minimum, " to ", key.maximum);
        case KeyType::interface: return "an interface's name";
        case KeyType::address: return "an address";
        case KeyType::address_list: return "addresses";
        case KeyType::interface_address: return "ADDRESS/PREFIX";
        case KeyType::network_list: {
            const bool ipv4 = key.minimum <= key.maximum;
            return concat("NETWORK/PREFIX, /", ipv4 ? key.minimum : key.minimum_ipv6, " to /",
                          ipv4 ? key.maximum : key.maximum_ipv6);
        }
        case KeyType::key: return "32 bytes in base64";
        case KeyType::key_list: return "keys of 32 bytes in base64";
        case KeyType::host_port_list: return "HOST or HOST:PORT";
        case KeyType::port_list: return "tcp/PORT, udp/FIRST-LAST";
        case KeyType::path_list: return "paths that begin with /";
        case KeyType::interface_list: return "interfaces' names";
        case KeyType::field_list: return fields_text(key);
        case KeyType::choice_list:
        case KeyType::choice: return "";
    }
    return "";
}

}  // namespace

Status check_hostname(std::string_view text, std::size_t longest) {
    if (text.size() > longest) {
        return failure(concat("'", text.substr(0, 32), "...' has ", text.size(), " letters; the most is ", longest));
    }
    const auto labels = split(text, '.');
    if (!std::ranges::all_of(labels, is_label)) {
        return failure(concat("'", text,
                              "' is not a host name: lower-case letters, digits and inner hyphens, parts of at "
                              "most 63 letters with dots between"));
    }
    return {};
}

bool is_interface_name(std::string_view text) {
    constexpr std::size_t kLongest = 15;
    return !text.empty() && text.size() <= kLongest && text != "." && text != ".." &&
           std::ranges::all_of(
               text, [](char letter) { return letter > ' ' && letter < 0x7F && letter != '/' && letter != ':'; });
}

Result<std::string> canonical_value(const Key& key, std::string_view value) {
    value = trim(value);
    if (value.empty()) {
        return std::string(key.fallback);
    }
    if (is_word_of(key, value)) {
        return std::string(value);
    }
    auto canonical = canonical_of_type(key, value);
    if (canonical) {
        return canonical;
    }
    std::string message = concat("'", key.name, "' in [", key.section, "]: ", canonical.error().message);
    if (!key.words.empty()) {
        message += concat("; it takes ", allowed_values(key));
    }
    if (value.find(" #") != std::string_view::npos || value.find(" ;") != std::string_view::npos) {
        message += "; a comment needs a line of its own";
    }
    return failure(std::move(message));
}

std::string allowed_values(const Key& key) {
    std::string out;
    for (const auto word : split_words(key.words)) {
        out += concat(out.empty() ? "" : ", ", word);
    }
    const std::string type = type_text(key);
    return out.empty() || type.empty() ? out + type : concat(out, " or ", type);
}

}  // namespace thole
