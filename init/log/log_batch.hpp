// What the logger hands to the log writer over their SOCK_SEQPACKET pair: lines of one service that were read together.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "log/log_line.hpp"

namespace thole {

inline constexpr std::size_t kLogName = 80;       // bytes of a name with the NUL at its end
inline constexpr std::size_t kRead = 16U << 10U;  // bytes read from a service at once
inline constexpr std::size_t kBatchText = kRead + kLongestLine + 2;

/// In front of the lines, which have their ends but no stamps.
struct LogBatch {
    LogTime time;
    std::uint64_t lost = 0;  // lines before these that could not be handed over
    std::int64_t size = 0;   // limits of the log's files
    std::int32_t count = 0;
    std::uint32_t slot = 0;  // the same for the same name as a rule, so that it need not be looked for
    std::array<char, kLogName> name{};
};

}  // namespace thole
