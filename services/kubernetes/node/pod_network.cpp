#include "pod_network.hpp"

#include "base/text.hpp"
#include "config/address.hpp"

namespace thole::kubernetes {

namespace {

constexpr std::string_view kSubnet = "\"subnet\": \"";
constexpr std::string_view kTable = "inet thole-pods";

/// The plugins' own masquerading hides pods from other nodes' pods, so where there are any it is left to
/// masquerade_rules().
std::string config_text(std::string_view ranges, unsigned mtu, bool masquerade) {
    return concat(
        "{\n"
        "  \"cniVersion\": \"1.0.0\",\n"
        "  \"name\": \"thole\",\n"
        "  \"plugins\": [\n"
        "    {\n"
        "      \"type\": \"bridge\",\n"
        "      \"bridge\": \"cni0\",\n"
        "      \"isDefaultGateway\": true,\n"
        "      \"hairpinMode\": true,\n",
        mtu == 0 ? "" : concat("      \"mtu\": ", mtu, ",\n"),
        masquerade ? "      \"ipMasq\": true,\n      \"ipMasqBackend\": \"nftables\",\n" : "",
        "      \"ipam\": {\n"
        "        \"type\": \"host-local\",\n"
        "        \"dataDir\": \"/run/cni/networks\",\n"
        "        \"ranges\": [",
        ranges,
        "]\n"
        "      }\n"
        "    },\n"
        "    {\n"
        "      \"type\": \"portmap\",\n"
        "      \"backend\": \"nftables\",\n"
        "      \"capabilities\": { \"portMappings\": true }\n"
        "    }\n"
        "  ]\n"
        "}\n");
}

/// "ip saddr { pods } ip daddr != { pods and nodes }" of one family; nothing where there are no pods of it.
std::string masquerade_rule(const NodeConfig& config, std::string_view family, bool ipv6) {
    std::string pods;
    std::string inside;
    for (const std::string_view key : {"kubernetes.pod-range", "mesh.range", "mesh.ula"}) {
        for (const auto range : config.list(key)) {
            if ((range.find(':') != std::string_view::npos) != ipv6) {
                continue;
            }
            append(inside, inside.empty() ? "" : ", ", range);
            if (key == "kubernetes.pod-range") {
                append(pods, pods.empty() ? "" : ", ", range);
            }
        }
    }
    return pods.empty()
               ? std::string()
               : concat("    ", family, " saddr { ", pods, " } ", family, " daddr != { ", inside, " } masquerade\n");
}

}  // namespace

std::string cni_config(std::span<const std::string_view> ranges, unsigned mtu) {
    std::string text;
    for (const auto range : ranges) {
        append(text, text.empty() ? "" : ", ", "[{ ", kSubnet, range, "\" }]");
    }
    return config_text(text, mtu, true);
}

std::string cni_template(unsigned mtu) {
    return config_text(
        concat("{{range $at, $range := .PodCIDRRanges}}{{if $at}}, {{end}}[{ ", kSubnet, "{{$range}}\" }]{{end}}"), mtu,
        false);
}

std::vector<std::string> ranges_in(std::string_view cni_config) {
    std::vector<std::string> ranges;
    while (true) {
        const auto at = cni_config.find(kSubnet);
        if (at == std::string_view::npos) {
            return ranges;
        }
        cni_config.remove_prefix(at + kSubnet.size());
        const auto range = parse_network(cni_config.substr(0, cni_config.find('"')));
        if (range) {
            ranges.push_back(network_text(*range));
        }
    }
}

std::string masquerade_rules(const NodeConfig& config) {
    // Declared before it is emptied, because emptying what is not there is an error.
    return concat("table ", kTable, " {\n}\ndelete table ", kTable, "\ntable ", kTable,
                  " {\n  chain postrouting {\n    type nat hook postrouting priority srcnat; policy accept;\n",
                  masquerade_rule(config, "ip", false), masquerade_rule(config, "ip6", true), "  }\n}\n");
}

}  // namespace thole::kubernetes
