// The monotonic clock, which no change of the wall clock touches.
#pragma once

#include <chrono>
#include <cstdint>

namespace thole {

/// Time since the kernel started, suspended time included (CLOCK_BOOTTIME).
struct Instant {
    std::int64_t milliseconds = 0;

    friend auto operator<=>(const Instant&, const Instant&) = default;
    friend Instant operator+(Instant start, std::chrono::milliseconds span) {
        return {start.milliseconds + span.count()};
    }
    friend std::chrono::milliseconds operator-(Instant end, Instant start) {
        return std::chrono::milliseconds(end.milliseconds - start.milliseconds);
    }
};

Instant now();

}  // namespace thole
