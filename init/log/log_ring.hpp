// The newest lines of one log in memory: a file of bounded size in /run (tmpfs) that the logger alone writes and
// anybody may read without asking it. It outlives the logger and the disk, not the boot.
//
// The file is a head and, behind it, bytes that are written round and round. Positions count all bytes ever written.
// Before bytes are written over, `oldest` moves past them; when new ones are there, `head` moves behind them: a reader
// that looks at the head before and after it copies knows which bytes were good all the time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "os/fd.hpp"

namespace thole {

inline constexpr std::size_t kRingFile = 64U << 10U;  // bytes; only pages that were written to cost memory

struct RingHead {
    std::uint64_t magic = 0;
    std::uint64_t boot = 0;    // boot_number() of the boot that it is from
    std::uint64_t oldest = 0;  // first position that can still be read
    std::uint64_t head = 0;    // position behind the newest byte
    std::uint64_t lines = 0;   // how many lines were ever written
    std::uint64_t mark = 0;    // the writer's own note, such as the kernel's next sequence number
    std::uint64_t check = 0;   // over all before, against a head that is half written
};

inline constexpr std::size_t kRingData = kRingFile - 64;

class LogRing {
   public:
    LogRing(std::string path, std::uint64_t boot) : path_(std::move(path)), boot_(boot) {}

    /// Adds lines with their ends (`count` of them). Where that fails (memory full), they are lost, and the next that
    /// come are preceded by a line that says so.
    void append(std::string_view lines, std::size_t count);

    /// The note that survives the logger; it is kept with the next append().
    [[nodiscard]] std::uint64_t mark();
    void set_mark(std::uint64_t mark) { head_.mark = mark; }

   private:
    bool open();
    bool write(std::string_view lines, std::size_t count);
    bool save_head();

    std::string path_;
    std::uint64_t boot_;
    Fd fd_;
    RingHead head_;
    std::uint64_t lost_ = 0;
};

struct RingContent {
    std::uint64_t begin = 0;  // position of the text's first byte
    std::uint64_t end = 0;    // position behind its last
    std::string text;         // whole lines
};

/// The lines from position `from` on that are still there, of a ring of this boot (`boot`; 0 takes any). An error where
/// there is no such ring.
Result<RingContent> read_ring(const std::string& path, std::uint64_t boot, std::uint64_t from = 0);

}  // namespace thole
