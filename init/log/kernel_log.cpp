#include "log/kernel_log.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/text.hpp"
#include "os/file.hpp"

namespace thole {

std::optional<KernelRecord> parse_kernel_record(std::string_view record) {
    const auto semicolon = record.find(';');
    if (semicolon == std::string_view::npos) {
        return std::nullopt;
    }
    const auto fields = split(record.substr(0, semicolon), ',');
    if (fields.size() < 3) {
        return std::nullopt;
    }
    constexpr std::int64_t kMost = INT64_MAX;
    const auto priority = parse_integer(fields[0], 0, 0xFFFF);
    const auto sequence = parse_integer(fields[1], 0, kMost);
    const auto microseconds = parse_integer(fields[2], 0, kMost);
    if (!priority || !sequence || !microseconds) {
        return std::nullopt;
    }
    const std::string_view text = record.substr(semicolon + 1);
    return KernelRecord{static_cast<unsigned>(*priority), static_cast<std::uint64_t>(*sequence), *microseconds / 1000,
                        text.substr(0, text.find('\n'))};
}

Result<KernelLog> KernelLog::open(const std::string& path, std::uint64_t next) {
    auto fd = open_file(path, O_RDONLY | O_NONBLOCK);
    if (!fd) {
        return std::unexpected(fd.error());
    }
    constexpr unsigned kMajor = 1;
    constexpr unsigned kMinor = 11;
    struct stat information{};
    if (::fstat(fd->get(), &information) != 0 || !S_ISCHR(information.st_mode) ||
        information.st_rdev != makedev(kMajor, kMinor)) {
        return failure(concat(path, " is not the kernel's log"));
    }
    return KernelLog(std::move(*fd), next);
}

std::optional<KernelRecord> KernelLog::read() {
    static std::array<char, 8192> buffer;  // the kernel's own limit of a record
    missed_ = 0;
    while (true) {
        const ssize_t size = ::read(fd_.get(), buffer.data(), buffer.size());
        if (size <= 0) {
            // EPIPE: records were written over; the next one that comes tells how many by its number.
            if (size < 0 && (errno == EINTR || errno == EPIPE)) {
                continue;
            }
            broken_ = size == 0 || errno != EAGAIN;
            return std::nullopt;
        }
        const auto record = parse_kernel_record({buffer.data(), static_cast<std::size_t>(size)});
        if (!record || record->sequence < next_) {
            continue;
        }
        missed_ = next_ > 0 ? record->sequence - next_ : 0;
        next_ = record->sequence + 1;
        return record;
    }
}

}  // namespace thole
