// The daemon's words, for its log.
#pragma once

#include <string_view>

namespace thole::mesh {

/// A line to standard error.
void say(std::string_view text);

}  // namespace thole::mesh
