// `thole firewall`: the rules that are wanted, those in force, and putting the one in place of the other.
#include "base/text.hpp"
#include "boot/container.hpp"
#include "config/sources.hpp"
#include "control/commands.hpp"
#include "firewall.hpp"
#include "rules.hpp"

namespace thole {

namespace {

int show(const NodeConfig& config, bool is_actual) {
    if (is_actual) {
        const auto actual = actual_firewall();
        if (!actual) {
            return complain(actual.error());
        }
        print(*actual);
        return kDone;
    }
    print(config.boolean("firewall.enabled")
              ? node_rules(config)
              : concat("# firewall.enabled is no (", config.origin("firewall.enabled"), "): nothing is filtered\n"));
    return kDone;
}

int finish(const Status& done, std::string_view said) {
    if (!done) {
        return complain(done.error());
    }
    print(said);
    return kDone;
}

}  // namespace

int firewall_command(const Call& call) {
    const std::string_view action = call.names[0];
    const bool is_actual = call.has("--actual");
    if ((action != "show" && action != "apply" && action != "check") || (is_actual && action != "show")) {
        return complain_usage("usage: thole firewall show [--actual] | apply | check\n");
    }
    const bool in_container = runs_in_container();
    const auto config = load_node_config("", in_container, {});
    if (!config) {
        return complain(config.error());
    }
    if (action == "show") {
        return show(*config, is_actual);
    }
    if (in_container) {
        return complain({"a container's packet filter is its engine's", 0});
    }
    return action == "apply" ? finish(apply_firewall(*config), "the rules of node.ini are in force\n")
                             : finish(check_firewall(*config), "the rules in force are those of node.ini\n");
}

}  // namespace thole
