// The clock of a machine without a hardware clock, until a time server sets it.
#pragma once

#include <cstdint>

#include "os/console.hpp"

namespace thole {

/// A time that a node cannot be younger than, in seconds since 1970: where the clock says less, there is no hardware
/// clock, and it goes on from `last_written` (when the data disk was last written, 0 if unknown), so that certificates
/// and logs do not go back in time.
void raise_clock(Console& console, std::int64_t last_written);

/// The time to set, or 0 where the clock may stay as it is.
std::int64_t clock_floor(std::int64_t now, std::int64_t last_written);

}  // namespace thole
