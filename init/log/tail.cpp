#include "log/tail.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "log/log_line.hpp"
#include "log/log_ring.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

/// Reads backwards in blocks until enough line ends were seen.
std::string read_end(const std::string& path, std::size_t lines) {
    std::string text;
    auto fd = open_file(path, O_RDONLY | O_NOFOLLOW);
    if (!fd) {
        return text;
    }
    off_t position = ::lseek(fd->get(), 0, SEEK_END);
    std::array<char, 4096> buffer;
    while (position > 0 && count_lines(text) <= lines) {
        const auto size = static_cast<std::size_t>(std::min<off_t>(position, static_cast<off_t>(buffer.size())));
        position -= static_cast<off_t>(size);
        if (::pread(fd->get(), buffer.data(), size, position) != static_cast<ssize_t>(size)) {
            break;
        }
        text.insert(0, buffer.data(), size);
    }
    return text;
}

/// The last whole lines of a text, without the markers of boots.
std::vector<std::string> lines_at_end(std::string_view text, std::size_t count) {
    std::vector<std::string> lines;
    text = text.substr(0, text.rfind('\n') + 1);
    while (!text.empty() && lines.size() < count) {
        text.remove_suffix(1);
        const std::size_t begin = text.rfind('\n') + 1;  // npos + 1 = 0
        if (marked_boot(text.substr(begin)).empty()) {
            lines.emplace_back(text.substr(begin));
        }
        text = text.substr(0, begin);
    }
    std::ranges::reverse(lines);
    return lines;
}

}  // namespace

std::string log_path(std::string_view name) { return LogPlaces().file(name); }

std::vector<std::string> last_ring_lines(const std::string& path, std::uint64_t boot, std::size_t count) {
    const auto ring = read_ring(path, boot);
    return ring ? lines_at_end(ring->text, count) : std::vector<std::string>();
}

std::vector<std::string> last_lines(const std::string& path, std::size_t count) {
    constexpr std::size_t kMarkers = 2;
    std::string text = read_end(path, count + kMarkers);
    if (count_lines(text) < count + kMarkers) {
        text.insert(0, read_end(path + ".1", count + kMarkers));
    }
    return lines_at_end(text, count);
}

std::vector<std::string> last_log_lines(std::string_view name, std::size_t count, const LogPlaces& places) {
    auto lines = last_ring_lines(places.ring(name), boot_number(), count);
    return lines.empty() ? last_lines(places.file(name), count) : lines;
}

}  // namespace thole
