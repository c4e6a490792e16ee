#include <poll.h>
#include <sys/reboot.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.hpp"
#include "control/client.hpp"
#include "control/commands.hpp"
#include "control/power.hpp"
#include "os/file.hpp"
#include "os/pipe.hpp"

namespace thole {

namespace {

constexpr int kSyncMilliseconds = 10'000;

struct Action {
    std::string_view name;
    unsigned command;  // of reboot(2)
    char key;          // of /proc/sysrq-trigger
};

/// In the order of PowerAction.
constexpr Action kActions[] = {
    {"poweroff", RB_POWER_OFF, 'o'},
    {"reboot", RB_AUTOBOOT, 'b'},
    {"halt", RB_HALT_SYSTEM, 'o'},
};

const Action& row_of(PowerAction action) { return kActions[static_cast<std::size_t>(action)]; }

/// sync(2) in a child: a disk that has gone away would hold it for ever, and the machine must go down all the same.
void sync_for_a_while() {
    auto pipe = make_pipe("sync");
    if (!pipe) {
        return;
    }
    const pid_t child = ::fork();
    if (child == 0) {
        ::sync();
        ::_exit(0);
    }
    pipe->writer.reset();
    pollfd end{pipe->reader.get(), POLLIN, 0};  // the child's end closes when it is done
    if (child > 0) {
        (void)::poll(&end, 1, kSyncMilliseconds);
    }
}

/// Works whatever has become of PID 1. In a container reboot(2) ends the container's PID 1 (reboot(2), PID namespaces).
int force_down(const Action& action) {
    sync_for_a_while();
    ::reboot(static_cast<int>(action.command));
    const auto refused = system_error(action.name, "the machine at once");
    (void)write_value("/proc/sysrq-trigger", {&action.key, 1});
    return complain(refused.error());
}

struct Option {
    std::string_view word;
    enum class Means : std::uint8_t { power_off, reboot, halt, force, nothing, passed_over } means;
};

using Means = Option::Means;

/// The options of systemd's and sysvinit's programs of these names; what is about wtmp and wall messages says nothing
/// here.
constexpr Option kOptions[] = {
    {"-f", Means::force},
    {"--force", Means::force},
    {"-p", Means::power_off},
    {"-P", Means::power_off},
    {"--poweroff", Means::power_off},
    {"-r", Means::reboot},
    {"--reboot", Means::reboot},
    {"-H", Means::halt},
    {"--halt", Means::halt},
    {"-h", Means::power_off},
    {"-c", Means::nothing},
    {"-k", Means::nothing},
    {"-w", Means::nothing},
    {"--wtmp-only", Means::nothing},
    {"-n", Means::passed_over},
    {"--no-sync", Means::passed_over},
    {"-d", Means::passed_over},
    {"--no-wtmp", Means::passed_over},
    {"-i", Means::passed_over},
    {"--no-wall", Means::passed_over},
    {"-q", Means::passed_over},
    {"--quiet", Means::passed_over},
    {"--no-block", Means::passed_over},
    {"-ff", Means::force},
};

Status apply(PowerCall& call, std::string_view word) {
    for (const Option& option : kOptions) {
        if (option.word != word) {
            continue;
        }
        switch (option.means) {
            case Means::power_off: call.action = PowerAction::power_off; break;
            case Means::reboot: call.action = PowerAction::reboot; break;
            case Means::halt: call.action = PowerAction::halt; break;
            case Means::force: call.force = true; break;
            case Means::nothing: call.nothing = true; break;
            case Means::passed_over: break;
        }
        return {};
    }
    return failure(concat("unknown option '", word, "'"));
}

}  // namespace

Result<PowerCall> read_power_call(std::string_view name, std::span<const std::string_view> arguments) {
    PowerCall call;
    call.action = name == "reboot" ? PowerAction::reboot : name == "halt" ? PowerAction::halt : PowerAction::power_off;
    bool timed = name != "shutdown";
    for (const std::string_view word : arguments) {
        if (word.starts_with('-')) {
            // `shutdown -f` and `-F` are about the check of file systems at the next boot.
            const bool about_checks = name == "shutdown" && (word == "-f" || word == "-F");
            if (auto applied = about_checks ? Status() : apply(call, word); !applied) {
                return std::unexpected(applied.error());
            }
        } else if (!timed) {
            timed = true;  // what follows is a message to those who are logged in
            if (word != "now" && word != "+0" && word != "0") {
                return failure(concat("'", word, "' is not 'now': a shutdown cannot be put off here"));
            }
        }
    }
    return call;
}

int power_main(std::string_view name, std::span<const std::string_view> arguments) {
    const auto call = read_power_call(name, arguments);
    if (!call) {
        return complain_usage(concat(name, ": ", call.error().message, "\nusage: ", name,
                                     name == "shutdown" ? " [-h|-P|-r|-H] [now]\n" : " [-f|--force]\n"));
    }
    return call->nothing ? static_cast<int>(kDone) : switch_power(call->action, call->force);
}

int switch_power(PowerAction action, bool force) {
    const Action& row = row_of(action);
    if (force) {
        return force_down(row);
    }
    const auto answer = ask_pid1(concat("shutdown ", row.name));
    return answer ? static_cast<int>(kDone)
                  : complain(Error{concat(answer.error().message, "; `thole ", row.name, " --force` works without it"),
                                   answer.error().code});
}

int power_command(const Call& call) { return switch_power(read_power_call(call.verb, {})->action, call.has("-f")); }

}  // namespace thole
