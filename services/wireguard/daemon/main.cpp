#include "main.hpp"

#include <csignal>

#include "base/text.hpp"
#include "boot/running_config.hpp"
#include "host.hpp"
#include "os/host_name.hpp"
#include "say.hpp"

namespace thole::mesh {

namespace {

Status serve() {
    const auto config = running_config();
    if (!config) {
        return std::unexpected(config.error());
    }
    if (config->text("mesh.cluster").empty()) {
        return failure("node.ini names no mesh.cluster: this node is alone, and its unit should not run");
    }
    auto settings = read_settings(*config, host_name());
    if (!settings) {
        return std::unexpected(settings.error());
    }
    auto host = MeshHost::make(std::move(*settings), {});
    return host ? (*host)->run() : std::unexpected(host.error());
}

}  // namespace

int mesh_main() {
    ::signal(SIGPIPE, SIG_IGN);
    const auto served = serve();
    if (!served) {
        say(served.error().message);
    }
    return served ? 0 : 1;
}

}  // namespace thole::mesh
