#include <doctest/doctest.h>

#include <csignal>

#include "control/power.hpp"
#include "control/systemctl.hpp"
#include "control/systemctl_words.hpp"

using namespace thole;

namespace {

UnitStatus unit_in(std::string state) {
    UnitStatus unit;
    unit.name = "kubelet";
    unit.state = std::move(state);
    return unit;
}

std::string property(const std::vector<Property>& all, std::string_view name) {
    for (const Property& one : all) {
        if (one.name == name) {
            return one.value;
        }
    }
    return "(none)";
}

Result<SystemctlCall> read(std::vector<std::string_view> words) { return read_systemctl_call(words); }

Result<PowerCall> power(std::string_view name, std::vector<std::string_view> words) {
    return read_power_call(name, words);
}

}  // namespace

TEST_CASE("systemctl: each state has systemd's words") {
    const auto both = [](std::string_view state) {
        const ActiveWords words = active_words(state);
        return std::string(words.active) + " " + std::string(words.sub);
    };
    CHECK(both("ready") == "active running");
    CHECK(both("done") == "active exited");
    CHECK(both("starting") == "activating start");
    CHECK(both("preparing") == "activating start-pre");
    CHECK(both("delayed") == "activating auto-restart");
    CHECK(both("stopping") == "deactivating stop-sigterm");
    CHECK(both("finishing") == "deactivating stop-post");
    CHECK(both("failed") == "failed failed");
    CHECK(both("stopped") == "inactive dead");
    CHECK(both("skipped") == "inactive dead");
    CHECK(both("idle") == "inactive dead");
    CHECK(both("") == "inactive dead");
}

TEST_CASE("systemctl: how the main process ended, as waitid has it") {
    CHECK(exec_main("").code == 0);
    CHECK(exec_main("exit status 3").code == CLD_EXITED);
    CHECK(exec_main("exit status 3").status == 3);
    CHECK(exec_main("killed by SIGKILL, out of memory").code == CLD_KILLED);
    CHECK(exec_main("killed by SIGKILL, out of memory").status == SIGKILL);
    CHECK(exec_main("killed by SIGUSR2").status == SIGUSR2);
    CHECK(exec_main("killed by signal 40").status == 40);
}

TEST_CASE("systemctl: Result says why") {
    UnitStatus unit = unit_in("ready");
    CHECK(result_word(unit) == "success");
    unit = unit_in("failed");
    CHECK(result_word(unit) == "resources");
    unit.exit = "exit status 1";
    CHECK(result_word(unit) == "exit-code");
    unit.exit = "killed by SIGSEGV";
    CHECK(result_word(unit) == "signal");
    unit.oom = true;
    CHECK(result_word(unit) == "oom-kill");
    unit = unit_in("failed");
    unit.failed_by = "containerd";
    CHECK(result_word(unit) == "dependency");
}

TEST_CASE("systemctl: properties of a running, a failed and an unknown unit") {
    UnitStatus unit = unit_in("ready");
    unit.pid = 42;
    unit.since = 1500;
    unit.restarts = 2;
    const auto running = properties_of(unit, {true, 4096, 7, "/usr/lib/thole/units/kubelet.unit"});
    CHECK(property(running, "Id") == "kubelet.service");
    CHECK(property(running, "Names") == "kubelet.service");
    CHECK(property(running, "Description") == "kubelet.service");
    CHECK(property(running, "LoadState") == "loaded");
    CHECK(property(running, "ActiveState") == "active");
    CHECK(property(running, "SubState") == "running");
    CHECK(property(running, "MainPID") == "42");
    CHECK(property(running, "Result") == "success");
    CHECK(property(running, "NRestarts") == "2");
    CHECK(property(running, "UnitFileState") == "enabled");
    CHECK(property(running, "ActiveEnterTimestampMonotonic") == "1500000");
    CHECK(property(running, "MemoryCurrent") == "4096");
    CHECK(property(running, "TasksCurrent") == "7");
    unit = unit_in("failed");
    unit.exit = "exit status 9";
    unit.enabled = false;
    const auto failed = properties_of(unit, {true, -1, -1, ""});
    CHECK(property(failed, "MainPID") == "0");
    CHECK(property(failed, "ExecMainCode") == "1");
    CHECK(property(failed, "ExecMainStatus") == "9");
    CHECK(property(failed, "UnitFileState") == "disabled");
    CHECK(property(failed, "MemoryCurrent") == "[not set]");
    CHECK(property(failed, "ActiveEnterTimestampMonotonic") == "0");
    const auto unknown = properties_of(unit_in(""), {});
    CHECK(property(unknown, "LoadState") == "not-found");
    CHECK(property(unknown, "ActiveState") == "inactive");
    CHECK(property(unknown, "UnitFileState").empty());
}

TEST_CASE("systemctl: the system as a whole") {
    CHECK(system_word({unit_in("ready"), unit_in("stopped")}, false) == "running");
    CHECK(system_word({unit_in("ready"), unit_in("starting")}, false) == "starting");
    CHECK(system_word({unit_in("failed"), unit_in("starting")}, false) == "degraded");
    CHECK(system_word({unit_in("delayed")}, false) == "degraded");
    CHECK(system_word({unit_in("failed")}, true) == "stopping");
}

TEST_CASE("systemctl: its options are read as scripts give them") {
    const auto call = read({"show", "-p", "ActiveState,SubState", "--property=MainPID", "--value", "kubelet.service"});
    REQUIRE(call);
    CHECK(call->verb == "show");
    CHECK(call->value);
    CHECK(call->properties == std::vector<std::string_view>{"ActiveState", "SubState", "MainPID"});
    CHECK(call->units == std::vector<std::string_view>{"kubelet"});
    CHECK(read({"show", "-pMainPID", "a"})->properties == std::vector<std::string_view>{"MainPID"});
    CHECK(read({"show", "-P", "Id", "a"})->value);
    CHECK(read({"-q", "is-active", "a"})->quiet);
    CHECK(!read({"--no-block", "--no-pager", "--plain", "start", "a"})->wait);
    CHECK(read({"list-units", "-t", "service", "--state=failed", "-a", "--no-legend"})->all);
    CHECK(!read({"list-units", "--type=timer"})->services);
    CHECK(read({})->verb == "list-units");
    CHECK(read({"enable", "--now", "a@b.service"})->now);
}

TEST_CASE("systemctl: what it does not know it says") {
    CHECK(read({"isolate", "a"}).error().message.find("Unknown command verb 'isolate'") != std::string::npos);
    CHECK(read({"start", "--wrong", "a"}).error().message == "unrecognized option '--wrong'");
    CHECK(read({"show", "-p"}).error().message == "option '-p' requires an argument");
    CHECK(read({"start"}).error().message == "Too few arguments.");
    CHECK(!read({"start", "--quiet=yes", "a"}));
}

TEST_CASE("power: the words of reboot, poweroff, halt and shutdown") {
    CHECK(power("reboot", {})->action == PowerAction::reboot);
    CHECK(power("poweroff", {})->action == PowerAction::power_off);
    CHECK(power("halt", {})->action == PowerAction::halt);
    CHECK(power("shutdown", {})->action == PowerAction::power_off);
    CHECK(power("shutdown", {"-r", "now"})->action == PowerAction::reboot);
    CHECK(power("shutdown", {"-h", "+0", "going", "down"})->action == PowerAction::power_off);
    CHECK(power("shutdown", {"-H", "now"})->action == PowerAction::halt);
    CHECK(power("halt", {"-p"})->action == PowerAction::power_off);
    CHECK(power("reboot", {"-f"})->force);
    CHECK(power("poweroff", {"--force"})->force);
    CHECK(!power("shutdown", {"-f", "now"})->force);
    CHECK(power("shutdown", {"-c"})->nothing);
    CHECK(!power("shutdown", {"-r", "+5"}));
    CHECK(!power("shutdown", {"23:00"}));
    CHECK(!power("reboot", {"--firmware"}));
}
