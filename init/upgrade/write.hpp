// The parts of a bundle to their places.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "os/fd.hpp"
#include "upgrade/bundle.hpp"

namespace thole::upgrade {

/// Told as it goes on: bytes done of bytes in all.
using Say = std::function<void(std::uint64_t, std::uint64_t)>;

/// Copies a part from the bundle, where it begins at `from`, to the start of `target`, through to the medium, and reads
/// it back from there. An error where the bundle's or the medium's bytes have another sum.
Status write_part(const Fd& bundle, std::uint64_t from, const Part& part, const std::string& target, int flags,
                  const Say& say);

/// Gives a partition the identifier by which its kernel finds it, in both tables of its disk.
Status name_partition(const std::string& partition, std::string_view identifier);

}  // namespace thole::upgrade
