// Asking PID 1 for a change of a unit's state, and waiting until it has come about.
#pragma once

#include <string_view>

#include "base/error.hpp"
#include "control/protocol.hpp"

namespace thole {

/// Whether there is nothing more to wait for after `verb` (start, stop, restart). `moved`: the state has changed since
/// it was asked for.
bool has_settled(std::string_view verb, std::string_view state, bool moved);

/// Whether a settled state is what was asked for. A unit that ended and will be started again has not worked.
bool has_worked(std::string_view verb, std::string_view state);

/// Asks, and with `wait` waits for the changes that PID 1 tells. Returns name, state, since and reason as they are then
/// (without `wait` only the name).
Result<UnitStatus> change_unit(std::string_view verb, std::string_view name, bool wait);

/// change_unit() with complaints on standard error. Returns kDone, kFailed or kNoSuchUnit.
int change_and_say(std::string_view verb, std::string_view name, bool wait, UnitStatus& after);

}  // namespace thole
