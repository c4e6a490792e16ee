// A unit: what a person wrote about one service, checked and typed. No system call here.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/process_settings.hpp"
#include "base/text.hpp"
#include "supervisor/calendar.hpp"

namespace thole {

enum class ServiceType : std::uint8_t { simple, oneshot, forking };
enum class Readiness : std::uint8_t { started, notify, fd, tcp, unix_socket, file, exec };
enum class RestartPolicy : std::uint8_t { always, on_failure, never };

/// Whom the stop signal reaches and what dies with the main process: all of the cgroup and all of it in its own time;
/// the main process, and what it leaves at once; the main process and nothing else (container runtimes).
enum class KillMode : std::uint8_t { cgroup, mixed, process };

/// A condition that decides whether the unit runs on this node at all.
struct Condition {
    enum class Kind : std::uint8_t { path, key, kernel_argument, container, role };
    Kind kind = Kind::path;
    bool negated = false;
    std::string subject;  // of `role` a list of words, one of which must be the node's
};

/// One file of the service's cgroup and what is written into it (kernel: Documentation/admin-guide/cgroup-v2.rst).
struct CgroupSetting {
    std::string file;
    std::string value;
};

/// When a unit is started by time. Not both of `every` and `calendar`.
struct Timer {
    Milliseconds every{0};
    std::optional<Calendar> calendar;
    Milliseconds jitter{0};
};

using CommandLine = std::vector<std::string>;

struct Unit {
    std::string name;
    std::string description;
    std::vector<std::string> required;
    std::vector<std::string> wanted;
    std::vector<std::string> after;
    std::vector<std::string> before;
    std::vector<std::string> conflicts;
    std::vector<Condition> conditions;

    CommandLine command;
    std::vector<CommandLine> pre_start;
    std::vector<CommandLine> post_stop;
    std::vector<std::string> environment;
    std::vector<std::string> environment_files;
    std::string user = "root";
    std::string group;  // empty: the user's own
    std::string working_directory = "/";
    std::string pid_file;
    std::string readiness_target;
    std::vector<CgroupSetting> cgroup;
    std::vector<std::string> listen;
    std::unique_ptr<Confinement> confinement;  // nothing where no key asks for it
    std::unique_ptr<Timer> timer;

    Milliseconds readiness_timeout{90'000};
    Milliseconds restart_delay{200};
    Milliseconds restart_delay_max{30'000};
    Milliseconds restart_reset{60'000};
    Milliseconds start_limit_interval{10'000};
    Milliseconds stop_timeout{10'000};
    Milliseconds watchdog{0};
    std::int64_t log_size = 4 << 20;
    std::uint64_t fingerprint = 0;  // of all that a change of which asks for a restart
    int start_limit_count = 0;      // 0 = none
    int stop_signal = 15;
    int reload_signal = 0;
    int nice = 0;
    int log_count = 2;
    std::optional<int> oom_score_adjust;
    ServiceType type = ServiceType::simple;
    Readiness readiness = Readiness::started;
    RestartPolicy restart = RestartPolicy::on_failure;
    KillMode kill = KillMode::cgroup;
    bool enabled = true;
    bool remain = true;
    bool delegate = false;
    bool on_demand = false;
    bool leaving = false;  // its file is gone, its process not yet

    /// The part for what few units set, made when it is first asked for.
    Confinement& confined();
    Timer& timed();
    /// As much of it as is needed to end its process, for a unit whose file is gone.
    [[nodiscard]] Unit remainder() const;
    /// The names of other units go once the graph has its edges: PID 1 keeps a unit for as long as the node runs.
    void forget_names();
    /// Whether something else than the start of the node or of its dependents starts it.
    [[nodiscard]] bool triggered() const { return timer != nullptr || on_demand; }
};

/// Replaces what stands for the node's configuration in a value; see config/node_config.hpp.
using Expander = std::function<Result<std::string>(std::string_view)>;

/// A file that says something about a unit, and what is in it.
struct UnitText {
    std::string path;
    std::string text;
};

/// Reads a unit called `name` from its file and its drop-ins, in this order; a key of a later one replaces an earlier
/// one's whole value, an empty value takes it away. In `NAME@INSTANCE`, %i is the instance and %n the whole name.
/// Errors: "FILE:LINE: what was read, what is allowed, nearest name".
Result<Unit> parse_unit(std::string_view name, std::span<const UnitText> texts, const Expander& expand);

/// The same for one file, whose base name without ".unit" is the unit's name.
Result<Unit> parse_unit(std::string_view file, std::string_view text, const Expander& expand);

/// The name in NAME.unit. Errors: another suffix, a character that names do not have.
Result<std::string> unit_name_of_file(std::string_view file);

/// "name@" of "name@instance"; empty where the name is no instance of a template.
std::string_view template_of(std::string_view name);

/// One key as it holds after all drop-ins, for people.
struct EffectiveKey {
    std::string_view section;
    std::string_view key;
    std::string value;
    std::string origin;  // FILE:LINE
};
Result<std::vector<EffectiveKey>> effective_keys(std::string_view name, std::span<const UnitText> texts);

/// Splits a command line into its arguments: white space separates, quotes "..." and '...' hold together, a backslash
/// takes the next character as it is (not within '...'). There is no shell.
Result<CommandLine> split_command(std::string_view text);

/// The reference page of all keys in Markdown, made from the table that drives parse_unit.
std::string unit_reference();

std::string_view to_text(ServiceType type);
std::string_view to_text(Readiness readiness);

}  // namespace thole
