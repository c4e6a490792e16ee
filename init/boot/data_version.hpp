// The form of what a node keeps on its data disk, as a number on that disk: a version that does not know the form must
// not touch it.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.hpp"

namespace thole {

/// What this version reads and writes. Raise it with a change that an older version could not live with.
inline constexpr std::int64_t kDataFormat = 1;

/// Notes the form at `path` where there is none, or an older one. An error where the disk has a newer one: nothing is
/// changed then.
Status check_data_version(const std::string& path);

}  // namespace thole
