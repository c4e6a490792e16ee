// What is said over the control socket: one request a connection, one line of words ("restart kubelet"), and one
// answer, "ok\n" with lines behind it, or "error WHY\n"; then the server closes. Words have no spaces, so no quoting is
// needed.
//
//   status               a line a unit, tab-separated, see UnitStatus
//   start|stop|restart NAME
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

/// One line of the answer to `status`.
struct UnitStatus {
    std::string name;
    std::string state;
    std::int64_t pid = -1;
    std::int64_t since = 0;  // milliseconds after boot
    std::int64_t took = -1;  // milliseconds from start to ready, -1 = not known
    std::int64_t restarts = 0;
    std::string description;
    std::string reason;
};

std::string encode(const UnitStatus& status);
Result<std::vector<UnitStatus>> decode(std::string_view body);

}  // namespace thole
