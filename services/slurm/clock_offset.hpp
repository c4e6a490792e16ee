// How far another node's clock is from this one's, by ICMP timestamps (RFC 792): the kernel answers them by itself, so
// that it works where nothing else does because of the clocks.
#pragma once

#include <cstdint>
#include <span>

#include "base/error.hpp"
#include "config/address.hpp"

namespace thole::slurm {

inline constexpr std::int64_t kDay = 86'400'000;  // milliseconds

/// Milliseconds by which the other's clock is ahead, in (-12 h, 12 h]: whole days are not seen.
Result<std::int64_t> clock_offset(const Address& to);

/// The difference of two times of a day, the short way round midnight.
std::int64_t day_difference(std::int64_t later, std::int64_t earlier);

/// The offset that an answer says; nothing where it is no answer, or the other counts in another way than from midnight
/// (RFC 792's high bit). `sent` and `received` are this node's milliseconds since midnight.
Result<std::int64_t> offset_in_answer(std::span<const std::uint8_t> icmp, std::int64_t sent, std::int64_t received);

}  // namespace thole::slurm
