#include "metrics.hpp"

#include "base/text.hpp"

namespace thole::mesh {

namespace {

struct Metric {
    std::string_view name;
    std::string_view kind;
    std::string_view help;
    std::uint64_t value;
};

}  // namespace

std::string metrics_text(const Mesh& mesh, std::uint64_t link_errors) {
    const GossipCounts& gossip = mesh.gossip_counts();
    const HelloCounts& hello = mesh.hello_counts();
    const std::array all{
        Metric{"members", "gauge", "Nodes that are known, this one among them.", mesh.members().all().size()},
        Metric{"peers", "gauge", "WireGuard peers that are wanted.", mesh.peer_count()},
        Metric{"peers_up", "gauge", "Peers that answer.", mesh.working_peers()},
        Metric{"address_settled", "gauge", "1: the IPv4 address is this node's.", mesh.has_ipv4() ? 1U : 0U},
        Metric{"behind_nat", "gauge", "1: peers see this node at an address that it does not have.",
               mesh.behind_nat() ? 1U : 0U},
        Metric{"messages_sent_total", "counter", "Messages inside the tunnel.", gossip.sent},
        Metric{"message_bytes_sent_total", "counter", "Their bytes.", gossip.sent_bytes},
        Metric{"messages_bad_total", "counter", "Messages of members that cannot be read.", gossip.bad},
        Metric{"records_refused_total", "counter", "Records of members that break a rule.", gossip.refused},
        Metric{"greetings_sent_total", "counter", "Datagrams outside the tunnel.", hello.sent},
        Metric{"greetings_strange_total", "counter", "Datagrams of strangers, dropped.", hello.strange},
        Metric{"greetings_limited_total", "counter", "Datagrams dropped unread, too many of one source.",
               hello.too_many},
        Metric{"greetings_replayed_total", "counter", "Greetings that were heard before, dropped.", hello.replayed},
        Metric{"link_errors_total", "counter", "Changes that the kernel refused.", link_errors},
    };
    std::string text;
    for (const Metric& metric : all) {
        append(text, "# HELP thole_mesh_", metric.name, " ", metric.help, "\n# TYPE thole_mesh_", metric.name, " ",
               metric.kind, "\nthole_mesh_", metric.name, " ", metric.value, "\n");
    }
    return text;
}

}  // namespace thole::mesh
