// What the daemon answers over the control socket; see control/protocol.hpp for the words.
#include <algorithm>
#include <array>

#include "control/protocol.hpp"
#include "daemon/daemon.hpp"
#include "daemon/units.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

constexpr std::array<std::string_view, 3> kActions{"poweroff", "reboot", "halt"};

std::string_view kmsg_name(KmsgKind kind) {
    switch (kind) {
        case KmsgKind::device: return "device";
        case KmsgKind::made: return "node";
        case KmsgKind::fifo: return "fifo";
    }
    return "";
}

std::string_view change_name(ReloadChange::Kind kind) {
    constexpr std::array<std::string_view, 3> kNames{"added", "changed", "removed"};
    return kNames[static_cast<std::size_t>(kind)];
}

UnitStatus status_of(const Unit& unit, const Service& service, const Graph& graph, pid_t pid) {
    UnitStatus line;
    line.name = unit.name;
    line.state = to_text(service.state);
    line.pid = pid;
    line.since = service.since.milliseconds;
    line.started = service.ran ? service.started.milliseconds : -1;
    line.took = service.took ? service.took->count() : -1;
    line.restarts = service.restarts;
    const bool waits = service.state == State::idle || service.state == State::delayed;
    line.next = waits && service.deadline ? service.deadline->milliseconds : -1;
    const bool ended = service.ran && pid <= 0;
    line.exit = ended ? to_text(service.last_exit) : "";
    line.oom = service.last_exit.out_of_memory;
    line.enabled = unit.enabled;
    line.failed_by = service.held_by ? graph.at(*service.held_by).unit.name : "";
    line.description = unit.description;
    line.status = service.status;
    line.reason = service.reason;
    return line;
}

}  // namespace

Result<std::string> Daemon::answer(const std::vector<std::string_view>& words) {
    const auto verb = words.empty() ? std::string_view() : words[0];
    if (words.size() == 1 && verb == "status") {
        return status_lines();
    }
    if (words.size() == 1 && verb == "info") {
        return info_lines();
    }
    if (words.size() == 1 && verb == "reload") {
        return reload_units();
    }
    if (words.size() == 2 && verb == "shutdown") {
        return answer_shutdown(words[1]);
    }
    if (words.size() == 2 && (verb == "start" || verb == "stop" || verb == "restart" || verb == "reload")) {
        return answer_units(verb, words[1]);
    }
    return failure("PID 1 does not know this request");
}

Result<std::string> Daemon::answer_shutdown(std::string_view action) {
    const auto found = std::ranges::find(kActions, action);
    if (found == kActions.end()) {
        return failure(concat("'", action, "' is not poweroff, reboot or halt"));
    }
    request_shutdown(static_cast<PowerAction>(found - kActions.begin()), "the command line");
    return std::string();
}

/// An instance of a template comes into being by being asked for.
Result<UnitIndex> Daemon::find_unit(std::string_view name) {
    auto index = supervisor_->graph().find(name);
    if (index || template_of(name).empty()) {
        return index;
    }
    instances_.emplace_back(name);
    const auto reloaded = reload_units();
    index = supervisor_->graph().find(name);
    if (!index) {
        instances_.pop_back();
    }
    return reloaded ? index : Result<UnitIndex>(std::unexpected(reloaded.error()));
}

Result<std::string> Daemon::answer_units(std::string_view verb, std::string_view name) {
    if (supervisor_->shutting_down()) {
        return failure("the node is shutting down: nothing is started or stopped any more");
    }
    const auto index = verb == "start" ? find_unit(name) : supervisor_->graph().find(name);
    if (!index) {
        return std::unexpected(index.error());
    }
    if (verb == "reload") {
        const auto asked = supervisor_->reload_service(*index);
        return asked ? Result<std::string>(std::string()) : std::unexpected(asked.error());
    }
    if (verb == "start") {
        supervisor_->start(*index);
    } else if (verb == "stop") {
        supervisor_->stop(*index);
    } else {
        supervisor_->restart(*index);
    }
    return std::string();
}

/// All of it or nothing: the first error refuses the whole reload.
Result<std::string> Daemon::reload_units() {
    std::vector<Error> errors;
    auto units = read_units(errors);
    if (!units) {
        std::string all;
        for (const Error& error : errors) {
            all += concat(all.empty() ? "" : "; ", error.message);
        }
        return failure(concat(all, "; nothing was changed"));
    }
    // Logs first, so that what the reload starts has its own; one too many does no harm if the reload is refused.
    for (const Unit& unit : *units) {
        if (auto opened = open_log(unit); !opened) {
            return std::unexpected(opened.error());
        }
    }
    std::vector<std::string> before;
    for (const GraphNode& node : supervisor_->graph().nodes()) {
        before.push_back(node.unit.name);
    }
    const auto changes = supervisor_->reload(std::move(*units));
    if (!changes) {
        return failure(concat(changes.error().message, "; nothing was changed"));
    }
    std::string lines;
    for (const ReloadChange& change : *changes) {
        lines += concat(change_name(change.kind), " ", change.name, "\n");
    }
    // A unit whose process is still ending keeps its log until the reload after that.
    for (const std::string& name : before) {
        if (!supervisor_->graph().find(name)) {
            logs_.remove(name);
        }
    }
    return lines;
}

std::string Daemon::status_lines() const {
    std::string lines;
    const Graph& graph = supervisor_->graph();
    for (UnitIndex index = 0; index < graph.size(); ++index) {
        lines += encode(status_of(graph.at(index).unit, supervisor_->service(index), graph, host_.pid_of(index)));
    }
    return lines;
}

std::string Daemon::info_lines() const {
    const auto boot_id = read_file("/proc/sys/kernel/random/boot_id");
    return concat("version=", program_version(), "\nboot=", trim(boot_id.value_or("")),
                  "\ncontainer=", booted_.in_container ? 1 : 0, "\nkmsg=", kmsg_name(booted_.kmsg),
                  "\ncgroup2=", booted_.has_cgroups ? 1 : 0, "\nconsole-lost=", console_.lost(),
                  "\nunits=", supervisor_->graph().size(),
                  "\ngoing-down=", going_down_ ? kActions[static_cast<std::size_t>(*going_down_)] : "", "\n");
}

}  // namespace thole
