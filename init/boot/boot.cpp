#include "boot/boot.hpp"

#include <unistd.h>

#include <vector>

#include "base/text.hpp"
#include "boot/cgroups.hpp"
#include "boot/config_disk.hpp"
#include "boot/config_url.hpp"
#include "boot/container.hpp"
#include "boot/data_disk.hpp"
#include "boot/data_version.hpp"
#include "boot/devices.hpp"
#include "boot/identity.hpp"
#include "boot/kernel_settings.hpp"
#include "boot/live_root.hpp"
#include "boot/mounts.hpp"
#include "boot/root.hpp"
#include "boot/skeleton.hpp"
#include "config/render.hpp"
#include "config/sources.hpp"
#include "firewall.hpp"
#include "network.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

constexpr const char* kTemplates = "/usr/lib/thole/templates/etc";
constexpr const char* kSkeleton = "/usr/share/thole/var";
constexpr const char* kDataVersion = "/var/lib/thole/data-format";
constexpr const char* kMachineId = "/var/lib/thole/machine-id";

std::vector<const char*> environment_variables() {
    std::vector<const char*> variables;
    for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
        variables.push_back(*variable);
    }
    return variables;
}

Result<NodeConfig> read_config(bool in_container) {
    auto config = load_node_config("", in_container, environment_variables());
    if (!config) {
        return failure(concat("The configuration is not right, and nothing was changed:\n", config.error().message));
    }
    return config;
}

/// In a container without the right for a step the node goes on without what the step would have done.
Status tolerate(Console& console, Status status) {
    if (status || !runs_in_container()) {
        return status;
    }
    console.line(concat("container ", status.error().message, "; it goes on without"));
    return {};
}

/// False in a container whose engine keeps its cgroups for itself, as engines do for containers without privileges.
Result<bool> prepare_cgroups(Console& console) {
    const Status done = set_up_cgroups(console);
    if (!done && !runs_in_container()) {
        return std::unexpected(done.error());
    }
    if (!done) {
        console.line(concat("cgroup   ", done.error().message,
                            "; services of this container run without cgroups of their own: no limits, no accounting"));
    }
    return done.has_value();
}

struct Prepared {
    KmsgKind kmsg = KmsgKind::device;
    bool has_cgroups = true;
};

/// File systems, devices and cgroups: what does not depend on the configuration.
Result<Prepared> prepare_machine(Console& console) {
    if (auto mounted = mount_kernel_file_systems(console); !mounted) {
        return std::unexpected(mounted.error());
    }
    if (auto made = make_directories("/run/thole"); !made) {
        return std::unexpected(made.error());
    }
    link_standard_streams("/dev");
    if (auto linked = link_virtio_ports("/sys", "/dev"); !linked && !runs_in_container()) {
        console.line(concat("devices  ", linked.error().message));
    }
    auto kmsg = provide_kmsg("/dev/kmsg");
    if (kmsg && *kmsg == KmsgKind::fifo) {
        console.line("kmsg     no right to the kernel log: a quiet pipe stands in for it");
    } else if (!kmsg && runs_in_container()) {
        console.line(concat("kmsg     ", kmsg.error().message, ": this container has no kernel log"));
        kmsg = KmsgKind::fifo;
    }
    if (!kmsg) {
        return std::unexpected(kmsg.error());
    }
    const auto has_cgroups = prepare_cgroups(console);
    if (!has_cgroups) {
        return std::unexpected(has_cgroups.error());
    }
    return Prepared{*kmsg, *has_cgroups};
}

/// What media and the network say about this machine, to where read_config() finds it.
Status take_configuration(Console& console) {
    if (auto taken = take_config_media(console); !taken) {
        return taken;
    }
    const auto place = wanted_config_url();
    if (!place || !*place) {
        return place ? Status() : std::unexpected(place.error());
    }
    const auto known = read_config(false);
    return known ? take_config_url(console, **place, *known) : std::unexpected(known.error());
}

/// /etc and /var. In a container both belong to it already. `config` is what can be read before the disk.
Status prepare_storage(Console& console, const NodeConfig& config, bool in_container) {
    if (!in_container) {
        if (auto mounted = mount_etc(); !mounted) {
            return mounted;
        }
        const bool in_memory = config.text("node.data") == "memory";
        const DataEncryption encryption{config.text("node.data-encryption") == "yes", config.text("node.data-key")};
        if (auto mounted =
                in_memory ? mount_data_in_memory(console, "/var") : mount_data_disk(console, "/var", encryption);
            !mounted) {
            return mounted;
        }
    }
    if (in_container) {
        close_volumes();
    }
    if (auto made = make_directories("/var/lib/thole/units"); !made) {
        return made;
    }
    if (auto known = check_data_version(kDataVersion); !known) {
        return known;
    }
    return fill_from_skeleton(kSkeleton, "/var");
}

Status take_identity(Console& console, Booted& booted) {
    auto id = machine_id(kMachineId);
    if (!id) {
        return std::unexpected(id.error());
    }
    booted.machine_id = std::move(*id);
    const std::string own = booted.in_container ? container_name() : std::string();
    booted.config.derive("node.name", own.empty() ? derived_node_name(booted.machine_id) : own,
                         own.empty() ? kMachineId : "the container's host name");
    booted.node_name = booted.config.text("node.name");
    if (booted.in_container) {
        hide_host_uuid(console, booted.machine_id);
    }
    return tolerate(console, write_identity("", booted.machine_id, booted.node_name, booted.in_container));
}

Status configure_node(Console& console, const Booted& booted) {
    set_sysctls(console);
    raise_limits(console);
    if (auto filtered = start_firewall(console, booted.config, booted.in_container); !filtered) {
        return filtered;
    }
    if (auto configured = tolerate(console, configure_network(console, booted.config, booted.in_container));
        !configured) {
        return configured;
    }
    const auto rendered = render_tree(kTemplates, "/etc", booted.config);
    return rendered ? Status() : Status(std::unexpected(rendered.error()));
}

}  // namespace

Result<Booted> boot(Console& console) {
    if (auto entered = enter_live_root(console); !entered) {
        return std::unexpected(entered.error());
    }
    const auto prepared = prepare_machine(console);
    if (!prepared) {
        return std::unexpected(prepared.error());
    }
    const bool in_container = runs_in_container();
    if (auto taken = in_container ? Status() : take_configuration(console); !taken) {
        return std::unexpected(taken.error());
    }
    // Read before the disk is touched, so that a mistake in it changes nothing there; then again with the disk's own
    // part.
    const auto early = read_config(in_container);
    if (!early) {
        return std::unexpected(early.error());
    }
    if (auto rooted = in_container ? Status() : change_root(console, *early); !rooted) {
        return std::unexpected(rooted.error());
    }
    if (auto stored = prepare_storage(console, *early, in_container); !stored) {
        return std::unexpected(stored.error());
    }
    auto config = read_config(in_container);
    if (!config) {
        return std::unexpected(config.error());
    }
    if (const std::string_view root = config->text("node.root"); !in_container && root != root_kind()) {
        console.line(
            concat("root     node.root = ", root, " on the data disk comes too late: the root was chosen before"));
    }
    Booted booted{std::move(*config), {}, {}, in_container, prepared->kmsg, prepared->has_cgroups};
    if (auto known = take_identity(console, booted); !known) {
        return std::unexpected(known.error());
    }
    if (auto configured = configure_node(console, booted); !configured) {
        return std::unexpected(configured.error());
    }
    if (auto shared = tolerate(console, share_mounts()); !shared) {
        return std::unexpected(shared.error());
    }
    return booted;
}

}  // namespace thole
