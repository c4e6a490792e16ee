#include "log/tail.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "log/log_channel.hpp"
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
    std::array<char, 16'384> buffer;
    while (position > 0 && static_cast<std::size_t>(std::ranges::count(text, '\n')) <= lines) {
        const auto size = static_cast<std::size_t>(std::min<off_t>(position, static_cast<off_t>(buffer.size())));
        position -= static_cast<off_t>(size);
        if (::pread(fd->get(), buffer.data(), size, position) != static_cast<ssize_t>(size)) {
            break;
        }
        text.insert(0, buffer.data(), size);
    }
    return text;
}

}  // namespace

std::string log_path(std::string_view name) { return concat(kLogDirectory, "/", name, ".log"); }

std::vector<std::string> last_lines(const std::string& path, std::size_t count) {
    std::string text = read_end(path, count);
    if (static_cast<std::size_t>(std::ranges::count(text, '\n')) < count) {
        text.insert(0, read_end(path + ".1", count));
    }
    std::vector<std::string> lines;
    for (const auto line : split(text, '\n')) {
        lines.emplace_back(line);
    }
    if (!lines.empty() && lines.back().empty()) {
        lines.pop_back();
    }
    if (lines.size() > count) {
        lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(count));
    }
    return lines;
}

}  // namespace thole
