#include "log/log_reader.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "log/log_ring.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

constexpr std::size_t kBlock = 16U << 10U;

/// The offset behind which there are `lines` lines, markers of boots not counted; 0 where there are fewer. `lines`
/// becomes what is missing.
off_t offset_of_last(int fd, std::size_t& lines) {
    static std::array<char, kBlock> block;
    off_t position = ::lseek(fd, 0, SEEK_END);
    if (lines == 0) {
        return position;
    }
    char first = '-';  // of the line that begins where the search is; at the end of the file there is none
    while (position > 0) {
        const off_t begin = std::max<off_t>(0, position - static_cast<off_t>(block.size()));
        const auto size = static_cast<std::size_t>(position - begin);
        if (::pread(fd, block.data(), size, begin) != static_cast<ssize_t>(size)) {
            return 0;
        }
        for (std::size_t at = size; at > 0; --at) {
            const bool line = block[at - 1] == '\n' && first != '-';
            if (line && --lines == 0) {
                return begin + static_cast<off_t>(at);
            }
            first = block[at - 1];
        }
        position = begin;
    }
    lines -= first != '-' ? 1 : 0;
    return 0;
}

}  // namespace

/// The files that are newer than the one with the inode `than` (0: all), oldest first. The newest is opened first: a
/// rotation in between then shows one file twice instead of leaving one out.
std::vector<LogReader::OpenLog> LogReader::open_newer(ino_t than) const {
    std::vector<OpenLog> found;
    for (int number = 0;; ++number) {
        auto fd = open_file(number == 0 ? path_ : concat(path_, ".", number), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
        struct stat information{};
        if (!fd || ::fstat(fd->get(), &information) != 0) {
            if (number == 0) {
                continue;  // just being rotated
            }
            break;
        }
        if (information.st_ino == than) {
            break;
        }
        if (found.empty() || found.back().inode != information.st_ino) {
            found.push_back({std::move(*fd), information.st_ino});
        }
    }
    std::ranges::reverse(found);
    return found;
}

void LogReader::open(std::size_t lines) {
    files_ = open_newer(0);
    if (lines == SIZE_MAX) {
        return;
    }
    std::size_t missing = lines;
    std::size_t first = files_.size();
    while (first > 0) {
        --first;
        const int fd = files_[first].fd.get();
        ::lseek(fd, offset_of_last(fd, missing), SEEK_SET);
        if (missing == 0) {
            break;
        }
    }
    files_.erase(files_.begin(), files_.begin() + static_cast<std::ptrdiff_t>(first));
}

/// Gets more bytes. False where there are none now.
bool LogReader::fill() {
    buffer_.erase(0, used_);
    used_ = 0;
    from_ring_ = false;
    while (true) {
        if (files_.empty()) {
            files_ = open_newer(0);
        } else {
            const std::size_t before = buffer_.size();
            buffer_.resize(before + kBlock);
            const ssize_t size = ::read(files_[0].fd.get(), buffer_.data() + before, kBlock);
            buffer_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
            if (size > 0) {
                return true;
            }
        }
        if (files_.size() <= 1) {
            if (files_.empty()) {
                return false;
            }
            auto newer = open_newer(files_[0].inode);
            if (newer.empty()) {
                return false;
            }
            // What came into the old file between its end and its renaming is read first.
            struct stat information{};
            const off_t position = ::lseek(files_[0].fd.get(), 0, SEEK_CUR);
            std::ranges::move(newer, std::back_inserter(files_));
            if (::fstat(files_[0].fd.get(), &information) == 0 && information.st_size > position) {
                continue;
            }
        }
        files_.erase(files_.begin());
        if (!buffer_.empty()) {
            buffer_ += '\n';  // a line that a power cut has left without its end
            return true;
        }
    }
}

bool LogReader::next() {
    while (true) {
        const auto end = buffer_.find('\n', used_);
        if (end == std::string::npos) {
            if (!fill()) {
                return false;
            }
            continue;
        }
        const std::size_t begin = used_;
        used_ = end + 1;
        if (take_line(std::string_view(buffer_).substr(begin, end - begin))) {
            return true;
        }
    }
}

/// Takes a marker in, and a line of the log. False where there is nothing to show.
bool LogReader::take_line(std::string_view line) {
    if (const auto boot = marked_boot(line); !boot.empty()) {
        boot_ = boot;
        return false;
    }
    const auto parsed = parse_line(line);
    if (parsed) {
        if (!from_ring_ && parsed->time.boot <= skipped_) {
            return false;
        }
        time_ = parsed->time;
    }
    line_ = line;
    text_at_ = parsed ? line.size() - parsed->text.size() : 0;
    return true;
}

void LogReader::take_ring(std::int64_t until) {
    const auto ring = read_ring(ring_, boot_number());
    if (!ring) {
        return;
    }
    const std::string current = boot_identity();
    std::string_view rest = ring->text;
    bool found = false;  // what is behind the line read last is new, even of the same time
    if (const auto seen = rest.rfind(concat(line_, "\n")); !line_.empty() && seen != std::string_view::npos) {
        rest.remove_prefix(seen + line_.size() + 1);
        found = true;
    }
    std::string taken;
    while (!rest.empty()) {
        const std::string_view line = rest.substr(0, rest.find('\n') + 1);
        rest.remove_prefix(line.size());
        const auto parsed = parse_line(line.substr(0, line.size() - 1));
        if (!parsed || parsed->time.boot >= until || (!found && is_old(parsed->time, current))) {
            continue;
        }
        taken += line;
        skipped_ = parsed->time.boot;
    }
    if (!taken.empty()) {
        boot_ = current;
        from_ring_ = true;
        buffer_.replace(0, used_, taken);  // in front of half a line that a file may end in
        used_ = 0;
    }
}

/// Whether a line of the ring is as old as the one read last.
bool LogReader::is_old(LogTime time, const std::string& current) const {
    if (line_.empty() || boot_ == current) {
        return !line_.empty() && time.boot <= time_.boot;
    }
    return boot_.empty() && time.wall <= time_.wall;
}

bool LogFilter::wants(const LogReader& reader) const {
    if (!boot.empty() && reader.boot() != boot) {
        return false;
    }
    if (uptime && reader.boot() == current_boot) {
        return reader.time().boot >= *uptime;
    }
    if (uptime && *uptime > 0 && !reader.boot().empty()) {
        return false;  // an earlier boot, and the span lies within this one
    }
    return reader.time().wall >= wall;
}

Status set_since(LogFilter& filter, std::string_view text, LogTime time) {
    if (const auto span = parse_duration(text)) {
        filter.wall = time.wall - span->count();
        filter.uptime = time.boot - span->count();
        return {};
    }
    const auto wall = parse_time(text, time.wall);
    if (!wall) {
        return failure(
            concat("'", text, "' is not a time such as 10m, 2h, 2026-01-31, \"2026-01-31 12:00\" or 12:00 (UTC)"));
    }
    filter.wall = *wall;
    return {};
}

bool earlier_line(const LogReader& left, const LogReader& right) {
    if (!left.boot().empty() && left.boot() == right.boot()) {
        return left.time().boot < right.time().boot;
    }
    return left.time().wall < right.time().wall;
}

std::vector<std::string> boots_in(const LogPlaces& places, const std::vector<std::string>& names,
                                  const std::string& current) {
    struct Boot {
        std::string identity;
        std::int64_t wall = 0;
    };
    std::vector<Boot> boots;
    for (const std::string& name : names) {
        LogReader reader(places, name);
        reader.open();
        std::string last;
        while (reader.next()) {
            if (reader.boot() == last) {
                continue;
            }
            last = reader.boot();
            if (last == current || std::ranges::find(boots, last, &Boot::identity) != boots.end()) {
                continue;
            }
            auto place = boots.end();
            while (place != boots.begin() && (place - 1)->wall > reader.time().wall) {
                --place;
            }
            boots.insert(place, {last, reader.time().wall});
        }
    }
    std::vector<std::string> identities;
    for (Boot& boot : boots) {
        identities.push_back(std::move(boot.identity));
    }
    identities.push_back(current);
    return identities;
}

std::vector<std::string> log_names(const LogPlaces& places) {
    constexpr std::string_view kEnding = ".log";
    auto names = list_directory(places.rings).value_or(std::vector<std::string>());
    for (std::string& file : list_directory(places.files).value_or(std::vector<std::string>())) {
        if (file.ends_with(kEnding)) {
            file.resize(file.size() - kEnding.size());
            names.push_back(std::move(file));
        }
    }
    return names;
}

}  // namespace thole
