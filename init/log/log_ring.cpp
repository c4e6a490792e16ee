#include "log/log_ring.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>

#include "base/text.hpp"
#include "log/log_line.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

constexpr std::uint64_t kMagic = 0x31676e69726c6874;  // "thlring1" as little endian has it
constexpr int kTries = 16;

std::uint64_t check_of(const RingHead& head) {
    std::uint64_t check = 0;
    for (const std::uint64_t word : {head.magic, head.boot, head.oldest, head.head, head.lines, head.mark}) {
        check = (check ^ word) * 0x9e3779b97f4a7c15;
        check ^= check >> 29U;
    }
    return check;
}

bool read_head(int fd, RingHead& head) {
    return ::pread(fd, &head, sizeof head, 0) == static_cast<ssize_t>(sizeof head) && head.magic == kMagic &&
           head.check == check_of(head) && head.oldest <= head.head && head.head - head.oldest <= kRingData;
}

/// Copies between memory and the positions [from, from + size), which may go over the end of the file.
template <typename Copy, typename Byte>
bool copy_round(Copy copy, int fd, Byte* bytes, std::size_t size, std::uint64_t from) {
    while (size > 0) {
        const std::size_t place = from % kRingData;
        const std::size_t piece = std::min(size, kRingData - place);
        const ssize_t done = copy(fd, bytes, piece, static_cast<off_t>(kRingFile - kRingData + place));
        if (done <= 0) {
            return false;
        }
        bytes += done;
        size -= static_cast<std::size_t>(done);
        from += static_cast<std::uint64_t>(done);
    }
    return true;
}

}  // namespace

bool LogRing::open() {
    auto opened = open_file(path_, O_RDWR | O_CREAT | O_NOFOLLOW, 0640);
    if (!opened && opened.error().code == ENOENT) {
        (void)make_directories(path_.substr(0, path_.rfind('/')));
        opened = open_file(path_, O_RDWR | O_CREAT | O_NOFOLLOW, 0640);
    }
    if (!opened) {
        return false;
    }
    fd_ = std::move(*opened);
    if (read_head(fd_.get(), head_) && head_.boot == boot_) {
        return true;  // an earlier logger's, which goes on
    }
    head_ = RingHead{};
    head_.magic = kMagic;
    head_.boot = boot_;
    if (::ftruncate(fd_.get(), 0) == 0 && save_head()) {
        return true;
    }
    fd_.reset();
    return false;
}

bool LogRing::save_head() {
    head_.check = check_of(head_);
    return ::pwrite(fd_.get(), &head_, sizeof head_, 0) == static_cast<ssize_t>(sizeof head_);
}

std::uint64_t LogRing::mark() { return fd_ || open() ? head_.mark : 0; }

void LogRing::append(std::string_view lines, std::size_t count) {
    if (!fd_ && !open()) {
        lost_ += count;
        return;
    }
    if (lost_ > 0 &&
        write(concat(stamp_text(LogTime::now()), "thole: ", lost_, " lines before this one were lost\n"), 1)) {
        lost_ = 0;
    }
    if (!write(lines, count)) {
        lost_ += count;
    }
}

bool LogRing::write(std::string_view lines, std::size_t count) {
    if (lines.size() > kRingData) {
        lines.remove_prefix(lines.find('\n', lines.size() - kRingData) + 1);
    }
    const std::uint64_t end = head_.head + lines.size();
    if (end - head_.oldest > kRingData) {
        head_.oldest = end - kRingData;
        if (!save_head()) {
            return false;
        }
    }
    if (!copy_round(::pwrite, fd_.get(), lines.data(), lines.size(), head_.head)) {
        return false;
    }
    head_.head = end;
    head_.lines += count;
    return save_head();
}

Result<RingContent> read_ring(const std::string& path, std::uint64_t boot, std::uint64_t from) {
    auto fd = open_file(path, O_RDONLY | O_NOFOLLOW);
    if (!fd) {
        return std::unexpected(fd.error());
    }
    for (int tries = 0; tries < kTries; ++tries) {
        RingHead before;
        RingHead after;
        if (!read_head(fd->get(), before) || (boot != 0 && before.boot != boot)) {
            continue;
        }
        RingContent content;
        content.begin = std::clamp(from, before.oldest, before.head);
        content.end = before.head;
        content.text.resize(content.end - content.begin);
        if (!copy_round(::pread, fd->get(), content.text.data(), content.text.size(), content.begin)) {
            continue;
        }
        std::atomic_thread_fence(std::memory_order_acquire);
        if (!read_head(fd->get(), after) || after.oldest > content.end) {
            continue;
        }
        if (content.begin < after.oldest) {
            content.text.erase(0, after.oldest - content.begin);
            content.begin = after.oldest;
        }
        // Where older bytes are gone the first line may be cut.
        if (content.begin > 0 && content.begin != from) {
            const std::size_t cut = std::min(content.text.find('\n'), content.text.size() - 1) + 1;
            content.text.erase(0, cut);
            content.begin += cut;
        }
        return content;
    }
    return failure(concat(path, " is not a ring of this boot"));
}

}  // namespace thole
