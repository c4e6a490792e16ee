// `thole install`.
#include <string>

#include "base/text.hpp"
#include "boot/running_config.hpp"
#include "control/client.hpp"
#include "control/commands.hpp"
#include "install/disk_writer.hpp"
#include "install/node_file.hpp"
#include "install/parts.hpp"
#include "install/target.hpp"

namespace thole {

namespace {

using namespace install;

struct Wish {
    std::string disk;
    std::string node_file;  // the text
    bool erase = false;
    std::string after;  // "", "reboot" or "poweroff"
};

/// What the command line asks for, and with --unattended node.ini.
Result<Wish> wish_of(const Call& call) {
    const auto config = running_config();
    if (!config) {
        return std::unexpected(config.error());
    }
    Wish wish{std::string(call.value("--disk")), as_node_file(*config), call.has("--erase"),
              call.has("--reboot") ? "reboot" : ""};
    if (call.has("--config")) {
        auto text = checked_node_file(std::string(call.value("--config")));
        if (!text) {
            return std::unexpected(text.error());
        }
        wish.node_file = std::move(*text);
    }
    if (call.has("--unattended")) {
        wish.disk = config->text("install.disk");
        wish.erase = config->boolean("install.erase");
        wish.after = config->text("install.then");
    }
    return wish;
}

Status install_to(const Wish& wish, const Parts& parts) {
    const auto devices = devices_with_content();
    const auto disk = choose_disk(devices, wish.disk);
    if (!disk) {
        return std::unexpected(disk.error());
    }
    print(concat(describe(devices, *disk), "\n"));
    if (!is_blank(*disk) && !wish.erase) {
        return failure(concat(disk->path(), " holds ", contents_of(devices, *disk),
                              ". It was not touched; --erase (install.erase in node.ini) overwrites all of it"));
    }
    if (auto written = write_disk(*disk, parts, wish.node_file); !written) {
        return written;
    }
    print(concat("version ", parts.bundle.version, " is on ", disk->path(),
                 wish.after.empty() ? "; take the stick, CD or network boot away and `thole reboot`\n" : "\n"));
    return {};
}

}  // namespace

int install_command(const Call& call) {
    const auto parts = live_parts();
    if (!parts) {
        return complain(parts.error());
    }
    const auto wish = wish_of(call);
    if (!wish) {
        return complain(wish.error());
    }
    if (wish->disk.empty()) {
        const auto none = choose_disk(devices_with_content(), "");
        return complain_usage(concat("thole: say which disk: --disk /dev/NAME, a serial number, or auto.",
                                     none ? "" : none.error().message.substr(none.error().message.find('.') + 1),
                                     "\n"));
    }
    if (auto done = install_to(*wish, *parts); !done) {
        return complain(with_context("nothing was installed", done.error()).error());
    }
    if (wish->after.empty()) {
        return kDone;
    }
    const auto asked = ask_pid1(concat("shutdown ", wish->after));
    return asked ? kDone : complain(asked.error());
}

}  // namespace thole
