// From the kernel's hand-over to the moment before the first service: the steps in their order.
#pragma once

#include <string>

#include "base/error.hpp"
#include "boot/kmsg.hpp"
#include "config/node_config.hpp"
#include "os/console.hpp"

namespace thole {

struct Booted {
    NodeConfig config;
    std::string node_name;
    std::string machine_id;
    bool in_container = false;
    KmsgKind kmsg = KmsgKind::device;
    bool has_cgroups = true;  // false in a container that may not use them
};

/// Mounts, cgroups, disk, configuration, identity, kernel settings, network, templates. An error means that the node
/// must halt with that message.
Result<Booted> boot(Console& console);

}  // namespace thole
