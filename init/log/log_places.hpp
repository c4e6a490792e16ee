// Where logs lie. Tests give folders of their own.
#pragma once

#include <string>
#include <string_view>

namespace thole {

inline constexpr std::string_view kOwnLog = "thole";      // PID 1's own messages
inline constexpr std::string_view kKernelLog = "kernel";  // the kernel's
inline constexpr std::string_view kLogDirectory = "/var/log/thole";

struct LogPlaces {
    std::string files{kLogDirectory};
    std::string rings = "/run/thole/ring";
    std::string kernel = "/dev/kmsg";

    /// FILES/NAME.log
    [[nodiscard]] std::string file(std::string_view name) const;
    /// RINGS/NAME
    [[nodiscard]] std::string ring(std::string_view name) const;
};

/// What tells this boot from others: the kernel's boot id and, because containers share that, when PID 1 started.
/// Empty where proc cannot be read.
std::string boot_identity();

/// The same as a number, for the head of a ring; never 0.
std::uint64_t boot_number();

}  // namespace thole
