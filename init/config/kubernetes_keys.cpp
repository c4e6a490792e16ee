#include "config/kubernetes_keys.hpp"

#include "base/text.hpp"
#include "config/node_config.hpp"

namespace thole {

bool is_kubernetes_server(const NodeConfig& config) {
    return config.boolean("kubernetes.enabled") && config.text("kubernetes.role") == "server";
}

void derive_kubernetes_role(NodeConfig& config) {
    const bool joins = !config.text("kubernetes.servers").empty();
    config.derive("kubernetes.role", joins ? "agent" : "server", joins ? "kubernetes.servers" : "default");
}

Status check_kubernetes(const NodeConfig& config) {
    if (!config.boolean("kubernetes.enabled")) {
        return {};
    }
    const bool agent = config.text("kubernetes.role") == "agent";
    const std::string role =
        concat("kubernetes.role is ", config.text("kubernetes.role"), " (", config.origin("kubernetes.role"), ")");
    if (agent && config.text("mesh.cluster").empty()) {
        return failure(concat(role,
                              ", but the node is in no mesh: set mesh.cluster and mesh.secret, by which it "
                              "finds and joins its servers"));
    }
    if (!agent && !config.text("kubernetes.servers").empty()) {
        return failure(concat(role, ", but kubernetes.servers (", config.origin("kubernetes.servers"),
                              ") is what an agent joins: leave one of them out"));
    }
    return {};
}

}  // namespace thole
