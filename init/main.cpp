// One binary, many names: PID 1, the command line, the logger, services of its own, the DHCP hook and the names that
// scripts know.
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.hpp"
#include "boot/boot.hpp"
#include "boot/halt.hpp"
#include "control/cli.hpp"
#include "daemon/crash.hpp"
#include "daemon/daemon.hpp"
#include "daemon/main.hpp"
#include "daemon/run_one.hpp"
#include "dhcp_hook.hpp"
#include "k3s_main.hpp"
#include "kubernetes_main.hpp"
#include "log/logger.hpp"
#include "remote.hpp"
#include "slurm_main.hpp"

namespace thole {

namespace {

/// What a careless container runtime left open or ignored; services would inherit both (clone3's CLONE_CLEAR_SIGHAND
/// leaves ignored signals ignored).
void forget_the_start() {
    ::syscall(SYS_close_range, 3U, ~0U, 0U);
    for (int number = 1; number < NSIG; ++number) {
        if (number != SIGPIPE) {
            ::signal(number, SIG_DFL);
        }
    }
}

[[noreturn]] void node_main() {
    forget_the_start();
    install_crash_handler();
    Console console = Console::open();
    auto booted = boot(console);
    if (!booted) {
        halt(console, booted.error().message);
    }
    auto loop = EventLoop::make();
    if (!loop) {
        halt(console, loop.error().message);
    }
    Daemon daemon(std::move(*loop), console, std::move(*booted));
    const auto ended = daemon.run();
    halt(console, ended ? "PID 1 has left its loop" : ended.error().message);
}

/// `thole`: what is done elsewhere, or for the driver on a machine that is no node, else a command of the table.
int command_main(std::span<const std::string_view> arguments) {
    const std::string_view first = arguments.empty() ? std::string_view() : arguments[0];
    if (first == "-n" || first == "--node" || first == "--client" || first == "--endpoint") {
        return remote::node_command_main(arguments);
    }
    if (first == "remote-client") {
        return remote::new_client_main(arguments.subspan(1));
    }
    return thole_main(arguments);
}

int init_main(std::span<const std::string_view> arguments) {
    if (!arguments.empty() && arguments[0] == "logger") {
        return logger_main(arguments.subspan(1));
    }
    if (!arguments.empty() && arguments[0] == "remote" && ::getpid() != 1) {
        return remote::service_main();
    }
    if (!arguments.empty() && arguments[0] == "mesh") {
        return mesh::mesh_main();
    }
    if (!arguments.empty() && arguments[0] == "slurm" && ::getpid() != 1) {
        return slurm::slurm_main(arguments.subspan(1));
    }
    if (!arguments.empty() && arguments[0] == "kubernetes" && ::getpid() != 1) {
        return kubernetes::kubernetes_main(arguments.subspan(1));
    }
    if (!arguments.empty() && arguments[0] == "k3s" && ::getpid() != 1) {
        return k3s::k3s_main();
    }
    if (!arguments.empty() && arguments[0] == "crashed") {
        crashed_main(arguments.size() > 1 ? arguments[1] : "an unknown signal");
    }
    if (::getpid() == 1) {
        node_main();
    }
    return thole_main(arguments);
}

}  // namespace

}  // namespace thole

int main(int count, char** values) {
    const std::vector<std::string_view> arguments(values + (count > 0 ? 1 : 0), values + count);
    std::string_view name = count > 0 ? values[0] : "init";
    name.remove_prefix(name.rfind('/') + 1);
    ::signal(SIGPIPE, SIG_IGN);
    if (name == "dhcp-hook") {
        return thole::dhcp_hook_main(count, values);
    }
    if (name == "systemctl" || name == "reboot" || name == "poweroff" || name == "halt" || name == "shutdown") {
        return thole::system_name_main(name, arguments);
    }
    if (name == "thole" && !arguments.empty() && arguments[0] == "run-one") {
        return thole::run_one_main({values + 2, static_cast<std::size_t>(count - 2)});
    }
    return name == "thole" ? thole::command_main(arguments) : thole::init_main(arguments);
}
