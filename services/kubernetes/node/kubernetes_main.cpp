#include "kubernetes_main.hpp"

#include <unistd.h>

#include <cstdlib>
#include <string>

#include "base/text.hpp"
#include "boot/running_config.hpp"
#include "control/client.hpp"
#include "node_host.hpp"
#include "os/file.hpp"
#include "os/notify_sender.hpp"
#include "say.hpp"
#include "servers.hpp"

namespace thole::kubernetes {

namespace {

Status serve() {
    auto config = running_config();
    if (!config) {
        return std::unexpected(config.error());
    }
    auto host = NodeHost::make(std::move(*config));
    if (!host) {
        return std::unexpected(host.error());
    }
    if (auto prepared = (*host)->prepare(); !prepared) {
        return prepared;
    }
    const char* const path = std::getenv("NOTIFY_SOCKET");
    // Without a supervisor there is nobody to tell.
    (void)notify(path != nullptr ? path : "", "READY=1\n");
    (*host)->run();
}

/// Gives the process to the program that moves pods, where PID 1 says that the node goes down.
int go_down(std::string_view time) {
    const auto info = ask_pid1("info");
    if (!info || info_value(*info, "going-down").empty()) {
        return 0;
    }
    // Without other nodes there is nowhere to go, and no need to ask.
    const std::string nodes = read_file(kMeshNodes).value_or("");
    if (split(nodes, '\n').size() <= 2) {
        return 0;
    }
    const std::string limit = concat("--timeout=", time);
    ::execl("/usr/bin/kubernetes-node", "kubernetes-node", "shut-down", limit.c_str(), nullptr);
    mesh::say(system_error("run", "/usr/bin/kubernetes-node").error().message);
    return 1;
}

}  // namespace

int kubernetes_main(std::span<const std::string_view> arguments) {
    if (arguments.size() == 2 && arguments[0] == "going-down") {
        return go_down(arguments[1]);
    }
    if (!arguments.empty()) {
        mesh::say("usage: init kubernetes [going-down TIME]");
        return 2;
    }
    const auto served = serve();
    if (!served) {
        mesh::say(served.error().message);
    }
    return 1;
}

}  // namespace thole::kubernetes
