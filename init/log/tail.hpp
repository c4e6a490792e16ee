// The end of a log, for those who show it: the command line and the logger.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "log/log_places.hpp"

namespace thole {

/// The newest `count` lines of a service's log in this boot, oldest first, each with its stamp and without its end.
/// They come from the ring in memory, so the disk is not asked; where there is no ring (an earlier boot's log), from
/// the files. A service that has said nothing has none.
std::vector<std::string> last_log_lines(std::string_view name, std::size_t count, const LogPlaces& places = {});

/// The same from one ring alone; none where there is no ring of this boot.
std::vector<std::string> last_ring_lines(const std::string& path, std::uint64_t boot, std::size_t count);

/// /var/log/thole/NAME.log
std::string log_path(std::string_view name);

/// The same from the file `path` and the earlier rotated one. Prefer last_log_lines().
std::vector<std::string> last_lines(const std::string& path, std::size_t count);

}  // namespace thole
