// The end of a log, read by those who show it: the command line and the logger.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace thole {

/// /var/log/thole/NAME.log
std::string log_path(std::string_view name);

/// The last `count` lines of a file, the earlier rotated file asked as well where the current one has too few. A log
/// that does not exist has none.
std::vector<std::string> last_lines(const std::string& path, std::size_t count);

}  // namespace thole
