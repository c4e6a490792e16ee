// The one table of node.ini's keys. Parsing, error messages, the command line, containers' environment and the
// generated reference all read it: a key is added by adding a line to it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace thole {

enum class KeyType : unsigned char {
    text,               // any text on one line
    hostname,           // lower-case labels with dots between
    words,              // names of lower-case letters, digits, - and _
    duration,           // a time with its unit
    host_list,          // names or addresses of other machines
    boolean,            // kept as yes or no
    integer,            // minimum to maximum
    interface,          // a network interface's name
    address,            // one IPv4 or IPv6 address
    address_list,       // addresses
    interface_address,  // ADDRESS/PREFIX of a machine
    network_list,       // ranges, at most one of IPv4 and one of IPv6
    choice,             // one of `words`
    key,                // 32 bytes in base64
    key_list,           // the same, several
    host_port_list,     // names or addresses, each with a port behind a colon or without; IPv6 with a port in brackets
    port_list,          // tcp/PORT, udp/FIRST-LAST
    path_list,          // absolute paths without blanks
    interface_list,     // names of interfaces; `*` at the end stands for any more letters
    choice_list,        // some of `words`
    field_list,         // items of names with colons between, `minimum` to `maximum` of them
};

struct Key {
    std::string_view section;
    std::string_view name;
    KeyType type;
    std::string_view fallback;  // the value where no source sets the key, and what an empty value means
    std::string_view doc;
    std::string_view words = {};              // what is allowed besides the type's own values, separated by blanks
    std::string_view environment = {};        // a container's environment variable for it, besides THOLE_SECTION_KEY
    std::string_view environment_words = {};  // two words: what yes and no mean in that variable
    std::int64_t minimum = 0;                 // of a whole number, of an IPv4 range's prefix length
    std::int64_t maximum = 0;  // likewise; a host name's greatest length, the greatest number of addresses or ports
    std::int64_t minimum_ipv6 = 0;  // of an IPv6 range's prefix length
    std::int64_t maximum_ipv6 = 0;
    bool secret = false;  // refused on the kernel command line and in files that everybody may read
};

/// All keys of node.ini, those of one section together.
std::span<const Key> node_keys();

/// Those of Kubernetes, installation, upgrades and SLURM, which node_keys() has as well.
std::span<const Key> service_keys();

/// The key of that section and name; the error says what is wrong and which name is near:
/// "unknown key 'adress' in [network]; did you mean 'address'?".
Result<const Key*> find_key(std::span<const Key> keys, std::string_view section, std::string_view name);

/// The value in its canonical form: yes/no for booleans, lists joined with commas, addresses as RFC 5952 has them. An
/// empty value gives the fallback. The error says what was read and what is allowed.
Result<std::string> canonical_value(const Key& key, std::string_view value);

/// "yes or no", "a whole number from 1 to 9", ...: what a key takes, for messages and the reference.
std::string allowed_values(const Key& key);

/// The reference of node.ini as Markdown, made from the table.
std::string config_reference(std::span<const Key> keys);

}  // namespace thole
