#include "control/cli.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "control/commands.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

constexpr std::string_view kUsage =
    "usage: thole COMMAND\n"
    "  status [--json] [NAME...]            what runs, since when, and why not\n"
    "  logs [-n LINES] [-f] NAME...         a service's log\n"
    "  start|stop|restart NAME...           waits until it is done; --no-wait does not\n"
    "  poweroff|reboot|halt                 stop everything in order, then the machine\n"
    "  lint DIRECTORY                       check unit files\n"
    "  config show|check FILE|reference     the node's configuration\n"
    "  reference                            all keys of unit files, as Markdown\n";

int run_command(std::string_view verb, Arguments rest) {
    if (verb == "status") {
        return status_command(rest);
    }
    if (verb == "logs") {
        return logs_command(rest);
    }
    if (verb == "start" || verb == "stop" || verb == "restart") {
        return unit_command(verb, rest);
    }
    if ((verb == "poweroff" || verb == "reboot" || verb == "halt") && rest.empty()) {
        return shutdown_command(verb);
    }
    if (verb == "lint") {
        return lint_command(rest);
    }
    if (verb == "config") {
        return config_command(rest);
    }
    if (verb == "reference") {
        return reference_command(rest);
    }
    return complain_usage(kUsage);
}

/// The few words of systemctl that scripts and tests use, in thole's own terms.
int systemctl_main(Arguments arguments) {
    static constexpr std::array<std::string_view, 6> kSame{"start", "stop", "restart", "status", "poweroff", "reboot"};
    if (arguments.empty()) {
        return status_command({});
    }
    const auto verb = arguments[0];
    if (std::ranges::find(kSame, verb) != kSame.end()) {
        return run_command(verb, arguments.subspan(1));
    }
    if (verb == "halt") {
        return shutdown_command("halt");
    }
    return complain(
        Error{concat("this node has no systemd; of systemctl it knows start, stop, restart, status, poweroff, "
                     "reboot and halt, not '",
                     verb, "'"),
              0});
}

}  // namespace

void print(std::string_view text) { (void)write_all(STDOUT_FILENO, text, "standard output"); }

int complain(const Error& error) {
    (void)write_all(STDERR_FILENO, concat("thole: ", error.message, "\n"), "standard error");
    return 1;
}

int complain_usage(std::string_view usage) {
    (void)write_all(STDERR_FILENO, usage, "standard error");
    return 2;
}

int thole_main(std::span<const std::string_view> arguments) {
    if (arguments.empty()) {
        return complain_usage(kUsage);
    }
    if (arguments[0] == "help" || arguments[0] == "--help" || arguments[0] == "-h") {
        print(kUsage);
        return 0;
    }
    return run_command(arguments[0], arguments.subspan(1));
}

int system_name_main(std::string_view name, std::span<const std::string_view> arguments) {
    if (name == "systemctl") {
        return systemctl_main(arguments);
    }
    const bool reboots =
        name == "reboot" || (name == "shutdown" && std::ranges::find(arguments, "-r") != arguments.end());
    return shutdown_command(reboots ? "reboot" : name == "halt" ? "halt" : "poweroff");
}

}  // namespace thole
