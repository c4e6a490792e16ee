// The command line's end of the control socket.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "control/protocol.hpp"
#include "os/fd.hpp"

namespace thole {

/// Sends one request line and returns the body of the answer. Errors: PID 1 cannot be reached (the code is then an
/// errno), or what it answered.
Result<std::string> ask_pid1(std::string_view request, const std::string& path = std::string(kControlSocket));

/// The status of every unit, in PID 1's order.
Result<std::vector<UnitStatus>> ask_status();

/// The unit of that name, or nothing.
const UnitStatus* find_unit(const std::vector<UnitStatus>& units, std::string_view name);

/// The changes of state from now on.
class EventStream {
   public:
    /// Connects and waits for PID 1's "ok": what changes from then on is seen.
    static Result<EventStream> open(const std::string& path = std::string(kControlSocket));

    /// Waits for the next change. An error where PID 1 has closed the connection.
    Result<UnitEvent> next();

   private:
    explicit EventStream(Fd socket) : socket_(std::move(socket)) {}

    Result<std::string> next_line();

    Fd socket_;
    std::string unread_;
};

}  // namespace thole
