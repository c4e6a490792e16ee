// The parts of the image that a live node has in memory.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"
#include "upgrade/bundle.hpp"

namespace thole::install {

/// The files.
inline constexpr std::string_view kRootPart = "root";
inline constexpr std::string_view kKernelPart = "kernel";
inline constexpr std::string_view kLoaderPart = "loader";
inline constexpr std::string_view kLoaderSettingsPart = "loader.conf";
/// A directory with signed variables for Secure Boot; it is not there where nothing is signed.
inline constexpr std::string_view kKeysPart = "keys";

/// Where one of them is.
std::string part_path(std::string_view part);

struct Parts {
    std::string header;      // what `bundle` refers to
    upgrade::Bundle bundle;  // version, sums, the identifier of the root's partition
};

/// Those of this node. An error where it was not started from a live image.
Result<Parts> live_parts();

}  // namespace thole::install
