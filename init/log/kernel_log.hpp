// The kernel's own messages, record by record (Documentation/ABI/testing/dev-kmsg).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "os/fd.hpp"

namespace thole {

struct KernelRecord {
    unsigned priority = 0;  // facility * 8 + level, as syslog has it
    std::uint64_t sequence = 0;
    std::int64_t boot = 0;  // milliseconds since the kernel started
    std::string_view text;  // without the lines of NAME=VALUE behind it
};

/// "6,339,5140900,-;NET: Registered protocol family 10\n SUBSYSTEM=...\n"; nothing where it is no record.
std::optional<KernelRecord> parse_kernel_record(std::string_view record);

class KernelLog {
   public:
    /// Opens the kernel's log; records before the sequence number `next` are passed over. An error where the path is
    /// not the kernel's device (in a container it may be a FIFO).
    static Result<KernelLog> open(const std::string& path, std::uint64_t next);

    [[nodiscard]] int fd() const { return fd_.get(); }

    /// The next record, whose text is good until the next call; `missed()` counts those that the kernel has written
    /// over before it. Nothing where there is none now or where reading failed for good.
    std::optional<KernelRecord> read();

    [[nodiscard]] std::uint64_t missed() const { return missed_; }
    [[nodiscard]] std::uint64_t next() const { return next_; }
    [[nodiscard]] bool broken() const { return broken_; }

   private:
    KernelLog(Fd fd, std::uint64_t next) : fd_(std::move(fd)), next_(next) {}

    Fd fd_;
    std::uint64_t next_;
    std::uint64_t missed_ = 0;
    bool broken_ = false;
};

}  // namespace thole
