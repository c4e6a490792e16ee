// What is said over the control socket: one request line of words ("restart kubelet"), and one answer, "ok\n" with
// lines behind it, or "error WHY\n"; then the server closes. Words have no spaces, so no quoting is needed.
//
//   status                      a line a unit: tab-separated NAME=VALUE fields, see UnitStatus
//   info                        NAME=VALUE lines about PID 1 itself
//   start|stop|restart NAME
//   reload NAME                 the service reads its configuration again (its reload-signal)
//   reload                      unit files are read again; lines "added|changed|removed NAME"
//   events                      the connection stays open: a line a change of state, see UnitEvent
//   shutdown poweroff|reboot|halt
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace thole {

inline constexpr std::string_view kControlSocket = "/run/thole/control";
inline constexpr std::size_t kLongestRequest = 1024;

/// One line of the answer to `status`. Times are milliseconds of the boot clock; -1 stands for none.
struct UnitStatus {
    std::string name;
    std::string state;
    std::int64_t pid = -1;
    std::int64_t since = -1;    // of the state
    std::int64_t started = -1;  // of the present or last process
    std::int64_t took = -1;     // from start to ready
    std::int64_t restarts = 0;
    std::int64_t next = -1;  // when a timer or the restart delay starts it
    std::string exit;        // how the main process last ended: "exit status 1"; empty where it has not
    bool oom = false;        // that end was the OOM killer's
    bool enabled = true;
    std::string failed_by;  // the unit whose failure holds this one
    std::string description;
    std::string status;  // the service's own STATUS=
    std::string reason;  // why it is where it is

    // Not inline: every list of them would repeat these.
    UnitStatus();
    UnitStatus(const UnitStatus& other);
    UnitStatus(UnitStatus&& other) noexcept;
    UnitStatus& operator=(const UnitStatus& other);
    UnitStatus& operator=(UnitStatus&& other) noexcept;
    ~UnitStatus();
};

/// One line of `events`.
struct UnitEvent {
    std::int64_t at = 0;  // milliseconds of the boot clock
    std::string name;
    std::string state;
    std::string reason;
};

/// One line with its end; characters of control in texts become blanks.
std::string encode(const UnitStatus& status);
std::string encode(const UnitEvent& event);

/// Reads what encode() wrote, a line a unit. Fields that are not known are passed over, so that `thole` may be older
/// than PID 1; one that is missing, given twice or no number is an error that names line and field.
Result<std::vector<UnitStatus>> decode(std::string_view body);
Result<UnitEvent> decode_event(std::string_view line);

/// The value behind "NAME=" in the lines of `info`; empty where there is none.
std::string_view info_value(std::string_view info, std::string_view name);

/// The text as one field: without tabs, line ends and what else a terminal would obey.
std::string one_field(std::string_view text);

/// This program's version, as meson.build has it.
std::string_view program_version();

}  // namespace thole
