#include "boot/clock_floor.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "base/text.hpp"

namespace thole {

namespace {

constexpr std::int64_t kEarliest = 1'767'225'600;  // 2026-01-01, before this system's first image

}  // namespace

std::int64_t clock_floor(std::int64_t now, std::int64_t last_written) {
    return now >= kEarliest ? 0 : std::max(kEarliest, last_written);
}

void raise_clock(Console& console, std::int64_t last_written) {
    timespec time{};
    ::clock_gettime(CLOCK_REALTIME, &time);
    const std::int64_t floor = clock_floor(time.tv_sec, last_written);
    if (floor == 0) {
        return;
    }
    time.tv_sec = floor;
    if (::clock_settime(CLOCK_REALTIME, &time) != 0) {
        console.line(concat("clock    this machine's clock is wrong and cannot be set: ", std::strerror(errno)));
        return;
    }
    console.line(concat("clock    this machine has no clock: it goes on from ",
                        last_written == floor ? "when the data disk was last written" : "2026-01-01"));
}

}  // namespace thole
