#include "config/schema.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "base/text.hpp"
#include "config/value.hpp"

namespace thole {

namespace {

constexpr std::array kKeys{
    Key{.section = "node",
        .name = "name",
        .type = KeyType::hostname,
        .fallback = "",
        .doc = "Name of the node: host name and Kubernetes node name. Empty: in a container its host name, else thole- "
               "and six "
               "digits of the machine-id.",
        .environment = "NODE_NAME",
        .maximum = 63},
    Key{.section = "node",
        .name = "roles",
        .type = KeyType::words,
        .fallback = "",
        .doc = "What the node is for: units with `roles` run only where one of theirs stands here."},
    Key{.section = "node",
        .name = "watchdog",
        .type = KeyType::duration,
        .fallback = "",
        .doc = "Time after which the hardware watchdog resets a node whose PID 1 hangs. Empty: it is not used."},
    Key{.section = "node",
        .name = "watchdog-device",
        .type = KeyType::text,
        .fallback = "/dev/watchdog",
        .doc = "The watchdog's device."},
    Key{.section = "container",
        .name = "main-service",
        .type = KeyType::text,
        .fallback = "",
        .doc = "In a container: the service that it is for. When it has ended and is not restarted, the container ends "
               "with its exit status.",
        .environment = "THOLE_MAIN_SERVICE"},
    Key{.section = "logs",
        .name = "forward",
        .type = KeyType::text,
        .fallback = "",
        .doc =
            "Where all logs are sent besides the disk: udp:ADDRESS:PORT or tcp:ADDRESS:PORT with a numeric address."},
    Key{.section = "logs",
        .name = "format",
        .type = KeyType::choice,
        .fallback = "syslog",
        .doc = "Their form there: syslog (RFC 5424, octet-counted over TCP), or a JSON object a line.",
        .words = "syslog json"},
    Key{.section = "network",
        .name = "interface",
        .type = KeyType::interface,
        .fallback = "",
        .doc = "Network interface that gets the address. Empty: the first one that has a device."},
    Key{.section = "network",
        .name = "address",
        .type = KeyType::interface_address,
        .fallback = "dhcp",
        .doc = "Address of the node. `dhcp` asks a server; `none` leaves the interfaces alone and gives the node "
               "192.0.2.1 on a dummy interface, as a machine without a network interface gets it.",
        .words = "dhcp none"},
    Key{.section = "network",
        .name = "gateway",
        .type = KeyType::address,
        .fallback = "",
        .doc = "Default gateway, for a static address only. Empty: no route leaves the node's own network."},
    Key{.section = "network",
        .name = "dns",
        .type = KeyType::address_list,
        .fallback = "",
        .doc = "Name servers, at most three. Set, they replace those that DHCP names.",
        .maximum = 3},
    Key{.section = "firewall",
        .name = "enabled",
        .type = KeyType::boolean,
        .fallback = "yes",
        .doc = "Whether the node filters what comes in (docs/firewall.md). In a container it never does."},
    Key{.section = "firewall",
        .name = "allow",
        .type = KeyType::port_list,
        .fallback = "",
        .doc = "Ports of the node that everybody may reach, such as tcp/6443 or udp/30000-32767. Set, it replaces the "
               "image's own: the kubernetes profile has tcp/6443.",
        .maximum = 64},
    Key{.section = "firewall",
        .name = "trusted",
        .type = KeyType::interface_list,
        .fallback = "wg0,cni0,veth*",
        .doc = "Interfaces from which all may come in, and through the node, besides lo: the mesh and the pods. `*` at "
               "the end of a name stands for any more letters."},
    Key{.section = "time",
        .name = "servers",
        .type = KeyType::host_list,
        .fallback = "",
        .doc = "NTP servers. Empty: no time service runs and the clock is the machine's."},
    Key{.section = "mesh",
        .name = "cluster",
        .type = KeyType::hostname,
        .fallback = "",
        .doc = "Name of the cluster whose nodes find each other and talk over WireGuard. Empty: the node is alone.",
        .maximum = 63},
    Key{.section = "mesh",
        .name = "secret",
        .type = KeyType::key,
        .fallback = "",
        .doc = "What lets a node into the cluster, the same on all nodes; `./thole config new` makes one.",
        .secret = true},
    Key{.section = "mesh",
        .name = "previous-secret",
        .type = KeyType::key,
        .fallback = "",
        .doc = "The secret before that, while it is being changed: nodes that only know that one get in, too.",
        .secret = true},
    Key{.section = "mesh",
        .name = "range",
        .type = KeyType::network_list,
        .fallback = "10.41.0.0/16",
        .doc = "The nodes' IPv4 addresses in the mesh.",
        .minimum = 8,
        .maximum = 24,
        .minimum_ipv6 = 1,
        .maximum_ipv6 = 0},
    Key{.section = "mesh",
        .name = "ula",
        .type = KeyType::network_list,
        .fallback = "",
        .doc = "The nodes' IPv6 addresses in the mesh, a /64. Empty: it comes from the secret, so write it down before "
               "the secret changes.",
        .minimum = 1,
        .maximum = 0,
        .minimum_ipv6 = 64,
        .maximum_ipv6 = 64},
    Key{.section = "mesh",
        .name = "address",
        .type = KeyType::address,
        .fallback = "",
        .doc = "The node's own IPv4 address in the mesh. Empty: it comes from the node's key."},
    Key{.section = "mesh",
        .name = "port",
        .type = KeyType::integer,
        .fallback = "51871",
        .doc = "UDP port of WireGuard. The port behind it takes the greetings of nodes that join.",
        .minimum = 1,
        .maximum = 65533},
    Key{.section = "mesh",
        .name = "seeds",
        .type = KeyType::host_port_list,
        .fallback = "",
        .doc = "Nodes to greet, with the port for greetings (51872) where it is another. Nodes of the same network "
               "segment find each other without.",
        .maximum = 6},
    Key{.section = "mesh",
        .name = "discovery",
        .type = KeyType::boolean,
        .fallback = "yes",
        .doc = "Whether the node greets its network segment by broadcast and multicast."},
    Key{.section = "mesh",
        .name = "endpoints",
        .type = KeyType::host_port_list,
        .fallback = "",
        .doc = "Addresses, with WireGuard's port where it is another, under which others reach this node, such as that "
               "of a forwarded port. Its own addresses need not be here.",
        .maximum = 3},
    Key{.section = "mesh",
        .name = "mtu",
        .type = KeyType::integer,
        .fallback = "0",
        .doc = "Greatest packet in the mesh. 0: 80 bytes less than the network interface takes, 1420 on most.",
        .minimum = 0,
        .maximum = 8920},
    Key{.section = "remote",
        .name = "outside",
        .type = KeyType::boolean,
        .fallback = "no",
        .doc = "Whether `thole -n` from machines that are no nodes is answered, on TCP port 51874 of every address. "
               "Within the mesh it always is."},
    Key{.section = "remote",
        .name = "nodes",
        .type = KeyType::choice,
        .fallback = "read-only",
        .doc = "What other nodes, and clients that come by way of them, may do here.",
        .words = "none read-only admin"},
    Key{.section = "remote",
        .name = "refused-clients",
        .type = KeyType::words,
        .fallback = "",
        .doc = "Names of clients that are not let in any more, though their grants have not expired."},
    Key{.section = "kubernetes",
        .name = "enabled",
        .type = KeyType::boolean,
        .fallback = "yes",
        .doc = "Whether the node runs Kubernetes."},
    Key{.section = "kubernetes",
        .name = "pod-range",
        .type = KeyType::network_list,
        .fallback = "10.42.0.0/16",
        .doc = "Addresses of pods. Each node takes a /24 of it.",
        .minimum = 8,
        .maximum = 24,
        .minimum_ipv6 = 48,
        .maximum_ipv6 = 64},
    Key{.section = "kubernetes",
        .name = "service-range",
        .type = KeyType::network_list,
        .fallback = "10.43.0.0/16",
        .doc = "Addresses of Services.",
        .minimum = 12,
        .maximum = 27,
        .minimum_ipv6 = 108,
        .maximum_ipv6 = 123},
    Key{.section = "kubernetes",
        .name = "dns-address",
        .type = KeyType::address,
        .fallback = "",
        .doc =
            "Address of the cluster's name server, in the service range. Empty: the tenth of that range (10.43.0.10)."},
    Key{.section = "kubernetes",
        .name = "cluster-domain",
        .type = KeyType::hostname,
        .fallback = "cluster.local",
        .doc = "Domain under which Services have names.",
        .maximum = 200},
};

std::vector<std::string_view> section_names(std::span<const Key> keys) {
    std::vector<std::string_view> names;
    for (const Key& key : keys) {
        if (std::ranges::find(names, key.section) == names.end()) {
            names.push_back(key.section);
        }
    }
    return names;
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates, std::string_view open,
                         std::string_view close) {
    const auto near = nearest_name(word, candidates);
    if (!near.empty()) {
        return concat("; did you mean ", open, near, close, "?");
    }
    std::string all = "; there are";
    for (const auto candidate : candidates) {
        all += concat(candidate == candidates.front() ? " " : ", ", open, candidate, close);
    }
    return all;
}

std::string reference_line(const Key& key) {
    const std::string fallback = key.fallback.empty() ? "" : concat("`", key.fallback, "`");
    const std::string_view secret = key.secret ? " Secret: refused on the kernel command line." : "";
    return concat("| `", key.name, "` | ", allowed_values(key), " | ", fallback, " | ", key.doc, secret, " |\n");
}

}  // namespace

std::span<const Key> node_keys() { return kKeys; }

Result<const Key*> find_key(std::span<const Key> keys, std::string_view section, std::string_view name) {
    std::vector<std::string_view> names;
    for (const Key& key : keys) {
        if (key.section == section && key.name == name) {
            return &key;
        }
        if (key.section == section) {
            names.push_back(key.name);
        }
    }
    if (names.empty()) {
        return failure(concat("unknown section [", section, "]", did_you_mean(section, section_names(keys), "[", "]")));
    }
    return failure(concat("unknown key '", name, "' in [", section, "]", did_you_mean(name, names, "'", "'")));
}

std::string config_reference(std::span<const Key> keys) {
    std::string out =
        "# node.ini\n\n"
        "One file says what a node is. An empty value means the default. A line that begins with blanks continues the "
        "value\n"
        "of the line above; `#` and `;` begin a comment on a line of their own. Items of a list stand with commas or "
        "blanks\n"
        "between them.\n";
    std::string_view section;
    for (const Key& key : keys) {
        if (key.section != section) {
            section = key.section;
            out +=
                concat("\n## [", section, "]\n\n| key | takes | default | what it is |\n| --- | --- | --- | --- |\n");
        }
        out += reference_line(key);
    }
    return out;
}

}  // namespace thole
