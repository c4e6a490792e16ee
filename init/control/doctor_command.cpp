// Checks of a node: one row a check, with what to do where it fails.
#include <fcntl.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "base/text.hpp"
#include "control/client.hpp"
#include "control/commands.hpp"
#include "control/doctor.hpp"
#include "control/json.hpp"
#include "control/mesh_client.hpp"
#include "control/table.hpp"
#include "k3s_checks.hpp"
#include "log/log_channel.hpp"
#include "os/cgroup.hpp"
#include "os/file.hpp"
#include "os/host_name.hpp"
#include "slurm_checks.hpp"

namespace thole {

namespace {

/// What PID 1 says; both are errors where it does not answer.
struct Node {
    Result<std::string> info;
    Result<std::vector<UnitStatus>> units;

    [[nodiscard]] std::string_view value(std::string_view name) const {
        return info ? info_value(*info, name) : std::string_view();
    }
    [[nodiscard]] bool in_container() const { return value("container") == "1"; }
};

struct Check {
    std::string_view name;
    Finding (*look)(const Node& node);
    std::string_view remedy;
};

std::string content_of(const std::string& path) { return read_file(path).value_or(std::string()); }

Finding pid1_answers(const Node& node) {
    if (!node.info) {
        return {false, node.info.error().message};
    }
    const auto going_down = node.value("going-down");
    return {going_down.empty(),
            going_down.empty() ? concat("version ", node.value("version")) : concat("it goes down: ", going_down)};
}

Finding no_unit_failed(const Node& node) {
    if (!node.units) {
        return {false, node.units.error().message};
    }
    std::string failed;
    for (const UnitStatus& unit : *node.units) {
        if (unit.state == "failed" || unit.state == "delayed") {
            append(failed, failed.empty() ? "" : ", ", unit.name, " (", unit.state, ")");
        }
    }
    return {failed.empty(), failed.empty() ? concat(node.units->size(), " units") : failed};
}

Finding cgroups_handed_down(const Node& /*node*/) {
    static constexpr std::string_view kNeeded = "cpu cpuset io memory pids hugetlb";
    if (!path_exists(concat(kCgroupRoot, "/cgroup.controllers"))) {
        return {false, concat("no cgroup2 on ", kCgroupRoot)};
    }
    const std::string given = content_of(concat(kCgroupRoot, "/cgroup.subtree_control"));
    const auto words = split_words(given);
    std::string missing;
    for (const std::string_view needed : split_words(kNeeded)) {
        missing += std::ranges::find(words, needed) == words.end() ? concat(" ", needed) : "";
    }
    return {missing.empty(), missing.empty() ? std::string(kNeeded) : concat("not handed down:", missing)};
}

Finding kernel_log(const Node& node) {
    const auto kind = node.value("kmsg");
    const Fd log(::open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    return {static_cast<bool>(log), !log             ? std::string("cannot be opened")
                                    : kind == "fifo" ? "a pipe in its place: the kernel's log is not for this container"
                                                     : "the kernel's log"};
}

/// The options of the file system at `place`, from proc(5)'s mountinfo: the last one mounted there counts.
std::string mount_options(std::string_view place) {
    const std::string mounts = content_of("/proc/self/mountinfo");
    std::string options;
    for (const std::string_view line : split(mounts, '\n')) {
        const auto fields = split_words(line);
        if (fields.size() > 5 && fields[4] == place) {
            options = fields[5];
        }
    }
    return options;
}

Finding data_disk(const Node& node) {
    constexpr std::uint64_t kLeastPercent = 10;
    struct statvfs information{};
    if (::statvfs("/var", &information) != 0 || information.f_blocks == 0) {
        return {false, "/var cannot be read"};
    }
    const std::string options = mount_options("/var");
    if (options.empty() && !node.in_container()) {
        return {false, "nothing is mounted on /var"};
    }
    if ((information.f_flag & ST_RDONLY) != 0) {
        return {false, "/var is read-only"};
    }
    const std::uint64_t percent = information.f_bavail * 100 / information.f_blocks;
    return {percent >= kLeastPercent,
            concat(bytes_text(static_cast<std::int64_t>(information.f_bavail * information.f_frsize)), " free, ",
                   percent, " %")};
}

Finding logs_are_written(const Node& /*node*/) {
    const bool good = ::access(std::string(kLogDirectory).c_str(), W_OK) == 0;
    return {good, concat(kLogDirectory, good ? "" : " is not there or not writable")};
}

/// A container has its host's clock, which is not its to set.
Finding clock_is_right(const Node& node) {
    constexpr std::time_t kNewYear2025 = 1'735'689'600;
    if (std::time(nullptr) < kNewYear2025) {
        return {false, "it is set to before 2025"};
    }
    timex state{};
    const int answer =
        ::adjtimex(&state);  // adjtimex(2): TIME_ERROR, or STA_UNSYNC, until somebody disciplines the clock
    const bool synchronised = answer >= 0 && answer != TIME_ERROR && (state.status & STA_UNSYNC) == 0;
    return {synchronised || node.in_container(),
            concat(node.in_container() ? "the host's, " : "", synchronised ? "synchronised" : "not synchronised")};
}

Finding has_identity(const Node& /*node*/) {
    const std::string id = content_of("/etc/machine-id");
    const std::string host = host_name();
    const bool named = !host.empty() && host != "(none)" && host != "localhost";
    return {named && trim(id).size() == 32,
            concat(named ? host : "no host name", ", machine-id ", trim(id).empty() ? "missing" : trim(id))};
}

/// proc(5)'s route tables: in IPv4's the second field is the destination, in IPv6's the first two are it and its
/// prefix.
Finding default_route(const Node& /*node*/) {
    const std::string routes = content_of("/proc/net/route");
    for (const std::string_view line : split(routes, '\n')) {
        const auto fields = split_words(line);
        if (fields.size() > 7 && fields[1] == "00000000" && fields[7] == "00000000") {
            return {true, concat("by ", fields[0])};
        }
    }
    const std::string routes_ipv6 = content_of("/proc/net/ipv6_route");
    for (const std::string_view line : split(routes_ipv6, '\n')) {
        const auto fields = split_words(line);
        if (fields.size() > 9 && fields[1] == "00" && fields[9] != "lo" &&
            fields[0].find_first_not_of('0') == std::string_view::npos) {
            return {true, concat("by ", fields[9], " (IPv6)")};
        }
    }
    return {false, "none"};
}

Finding name_server(const Node& /*node*/) {
    const std::string resolver = content_of("/etc/resolv.conf");
    std::string servers;
    for (const std::string_view line : split(resolver, '\n')) {
        const auto words = split_words(line);
        if (words.size() > 1 && words[0] == "nameserver") {
            append(servers, servers.empty() ? "" : ", ", words[1]);
        }
    }
    return {!servers.empty(), servers.empty() ? "none in /etc/resolv.conf" : servers};
}

/// Documentation/accounting/psi.rst: "some avg10=0.00 avg60=1.25 ...", per cent of the time.
Finding memory_is_enough(const Node& /*node*/) {
    constexpr std::int64_t kMostPercent = 10;
    const std::string pressure = content_of("/proc/pressure/memory");
    const auto at = pressure.find("avg60=");
    if (at == std::string::npos) {
        return {true, "this kernel does not measure pressure"};
    }
    const auto value = std::string_view(pressure).substr(at + 6, pressure.find(' ', at) - at - 6);
    const auto percent = parse_integer(value.substr(0, value.find('.')), 0, 100).value_or(0);
    return {percent < kMostPercent, concat("processes waited for memory ", value, " % of the last minute")};
}

Finding console_is_read(const Node& node) {
    const auto lost = node.value("console-lost");
    return {lost.empty() || lost == "0", concat(lost.empty() ? "0" : lost, " lines lost")};
}

Finding mesh_is_whole(const Node& node) {
    const UnitStatus* const unit = node.units ? find_unit(*node.units, "mesh") : nullptr;
    if (unit == nullptr || unit->state == "skipped") {
        return {true, "this node has none"};
    }
    const auto info = ask_mesh("info");
    if (!info) {
        return {false, info.error().message};
    }
    const auto state = info_value(*info, "state");
    const auto peers = info_value(*info, "peers");
    const auto up = info_value(*info, "up");
    const bool good = (state == "joined" || state == "alone") && peers == up;
    return {good, concat(up, " of ", peers, " peers answer, ", state)};
}

constexpr Check kChecks[] = {
    {"PID 1", pid1_answers, "`thole reboot --force` works without it; the console says what broke"},
    {"units", no_unit_failed, "`thole status` says why, `thole logs NAME` what they said"},
    {"cgroups", cgroups_handed_down,
     "a kernel with these controllers; a container needs --privileged or a delegated cgroup"},
    {"kernel log", kernel_log, "the kubelet needs /dev/kmsg: give the container that device"},
    {"data disk", data_disk, "attach a larger disk, or remove images and logs; see docs/operate.md"},
    {"logs", logs_are_written, "the data disk must be mounted and writable"},
    {"clock", clock_is_right, "time servers must be reachable: `thole logs time`, node.ini's section [time]"},
    {"identity", has_identity, "the data disk must be writable at boot; node.ini's key node.name"},
    {"route", default_route, "node.ini's section [network], or a DHCP server that gives a router"},
    {"name server", name_server, "node.ini's key network.dns, or a DHCP server that gives one"},
    {"mesh", mesh_is_whole, "`thole mesh peers` shows who does not answer; UDP 51871 and 51872 must get through"},
    {"memory", memory_is_enough, "more memory, fewer pods, or limits: `thole top` shows who has it"},
    {"console", console_is_read, "a serial console that nobody reads is slow; the log `thole` has every line"},
};

std::vector<DoctorRow> all_rows(const Node& node) {
    std::vector<DoctorRow> rows;
    for (const Check& check : kChecks) {
        rows.push_back({check.name, check.look(node), check.remedy});
    }
    for (DoctorRow& row : slurm::slurm_checks()) {
        rows.push_back(std::move(row));
    }
    return rows;
}

}  // namespace

int doctor_command(const Call& call) {
    const bool for_k3s = !call.names.empty() && call.names[0] == "k3s";
    if (!call.names.empty() && !for_k3s) {
        return complain(Error{concat("there are no checks of '", call.names[0], "', only of k3s"), 0});
    }
    const bool coloured = colours_wanted();
    Table table("- CHECK FOUND");
    Json json;
    json.begin_array();
    std::string remedies;
    for (const DoctorRow& row : for_k3s ? k3s::k3s_checks("") : all_rows({ask_pid1("info"), ask_status()})) {
        table.add(row.finding.good ? "ok" : "WRONG", !coloured ? "" : row.finding.good ? "32" : "31");
        table.add(row.check);
        table.add(row.finding.detail);
        json.begin_object();
        json.text("check", row.check);
        json.boolean("ok", row.finding.good);
        json.text("detail", row.finding.detail);
        json.text("remedy", row.finding.good ? "" : row.remedy);
        json.end_object();
        remedies += row.finding.good ? "" : concat("\n", row.check, ": ", row.remedy, "\n");
    }
    json.end_array();
    print(call.has("--json") ? json.finish() : table.finish(false) + remedies);
    return remedies.empty() ? kDone : kFailed;
}

}  // namespace thole
