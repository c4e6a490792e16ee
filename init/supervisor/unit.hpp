// A unit: what a person wrote about one service, checked and typed. No system call here.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"

namespace thole {

enum class ServiceType : std::uint8_t { simple, oneshot };
enum class Readiness : std::uint8_t { started, notify, tcp, unix_socket, exec };
enum class RestartPolicy : std::uint8_t { always, on_failure, never };
enum class KillMode : std::uint8_t { cgroup, process };

/// A condition that decides whether the unit runs on this node at all.
struct Condition {
    enum class Kind : std::uint8_t { path, key };
    Kind kind = Kind::path;
    bool negated = false;
    std::string subject;
};

/// One file of the service's cgroup and what is written into it (kernel: Documentation/admin-guide/cgroup-v2.rst).
struct CgroupSetting {
    std::string file;
    std::string value;
};

struct Unit {
    std::string name;
    std::string description;
    std::vector<std::string> required;
    std::vector<std::string> wanted;
    std::vector<std::string> after;
    std::vector<std::string> before;
    std::vector<Condition> conditions;

    ServiceType type = ServiceType::simple;
    std::vector<std::string> command;
    std::vector<std::string> environment;
    std::vector<std::string> environment_files;
    std::string user = "root";
    std::string working_directory = "/";
    Readiness readiness = Readiness::started;
    std::string readiness_target;
    Milliseconds readiness_timeout{90'000};
    RestartPolicy restart = RestartPolicy::on_failure;
    Milliseconds restart_delay{200};
    Milliseconds restart_delay_max{30'000};
    int stop_signal = 15;
    Milliseconds stop_timeout{10'000};
    KillMode kill = KillMode::cgroup;
    std::optional<int> oom_score_adjust;
    int nice = 0;
    std::vector<CgroupSetting> cgroup;
    bool delegate = false;
    std::int64_t log_size = 4 << 20;
    int log_count = 2;
};

/// Replaces what stands for the node's configuration in a value; see config/node_config.hpp.
using Expander = std::function<Result<std::string>(std::string_view)>;

/// Reads one unit file. `file` is named in errors, its base name without ".unit" is the unit's name.
/// Errors: "FILE:LINE: what was read, what is allowed, nearest name".
Result<Unit> parse_unit(std::string_view file, std::string_view text, const Expander& expand);

/// Splits a command line into its arguments: white space separates, quotes "..." and '...' hold together, a backslash
/// takes the next character as it is (not within '...'). There is no shell.
Result<std::vector<std::string>> split_command(std::string_view text);

/// The reference page of all keys in Markdown, made from the table that drives parse_unit.
std::string unit_reference();

std::string_view to_text(ServiceType type);
std::string_view to_text(Readiness readiness);

}  // namespace thole
