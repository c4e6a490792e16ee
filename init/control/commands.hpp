// The commands of `thole`: one table, one function a command.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "control/protocol.hpp"
#include "control/usage.hpp"

namespace thole {

/// Exit statuses of every command.
enum CommandResult : int {
    kDone = 0,
    kFailed = 1,
    kWrongCall = 2,
    kNotRunning = 3,  // `status`: a unit named does not run, or, without names, one has failed
    kNoSuchUnit = 4,
};

struct Command {
    std::string_view name;
    std::string_view usage;  // what stands behind the name; read_call() goes by it
    std::string_view meaning;
    int (*run)(const Call& call);
    bool own_arguments = false;  // it reads Call::arguments itself
};

/// The table that drives dispatch, help, completion and the reference page.
std::span<const Command> commands();

int status_command(const Call& call);
int show_command(const Call& call);
int unit_command(const Call& call);
int reload_command(const Call& call);
int enable_command(const Call& call);
int events_command(const Call& call);
int lint_command(const Call& call);
int doctor_command(const Call& call);
int top_command(const Call& call);
int blame_command(const Call& call);
int health_command(const Call& call);
int kubernetes_command(const Call& call);
int plot_command(const Call& call);
int mesh_command(const Call& call);
int node_command(const Call& call);
int config_command(const Call& call);
int firewall_command(const Call& call);
int reference_command(const Call& call);
int completion_command(const Call& call);
int version_command(const Call& call);
int power_command(const Call& call);
int install_command(const Call& call);
int upgrade_command(const Call& call);
int rollback_command(const Call& call);
int boot_good_command(const Call& call);
int logs_command(Arguments arguments);

/// All commands with what they mean, for `thole help`.
std::string help_text();

/// The same as a page in Markdown, with the exit statuses.
std::string commands_reference();

/// The script for bash.
std::string completion_script();

/// Runs one command of the table; `verb` may be any word.
int run_command(std::string_view verb, Arguments arguments);

/// Text to standard output; a reader that has gone away is no error.
void print(std::string_view text);

/// "thole: MESSAGE" to standard error; returns kFailed.
int complain(const Error& error);

/// Text to standard error for a wrong call; returns kWrongCall.
int complain_usage(std::string_view usage);

/// "there is no unit ..." with the nearest name; returns kNoSuchUnit.
int complain_no_unit(std::string_view name, const std::vector<UnitStatus>& units);

/// Leaves of `units` those that are named, in the order of the names; all where none is. Returns kDone or kNoSuchUnit.
int choose_units(std::vector<UnitStatus>& units, const std::vector<std::string_view>& names);

}  // namespace thole
