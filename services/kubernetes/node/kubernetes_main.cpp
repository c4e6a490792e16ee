#include "kubernetes_main.hpp"

#include <cstdlib>

#include "boot/running_config.hpp"
#include "node_host.hpp"
#include "os/notify_sender.hpp"
#include "say.hpp"

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

}  // namespace

int kubernetes_main() {
    const auto served = serve();
    if (!served) {
        mesh::say(served.error().message);
    }
    return 1;
}

}  // namespace thole::kubernetes
