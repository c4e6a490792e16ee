// One log in the logger: a service's pipe where it has one, the ring, and its place in the writer's queue.
#pragma once

#include <algorithm>
#include <optional>
#include <string>

#include "base/text.hpp"
#include "log/log_line.hpp"
#include "log/log_ring.hpp"
#include "log/writer_link.hpp"
#include "os/event_loop.hpp"

namespace thole {

class LogStream;

class StreamListener {
   public:
    virtual ~StreamListener() = default;
    virtual void on_readable(LogStream& stream) = 0;
};

/// How long a service may be held up, in all, while the writer catches up: bursts are to reach the disk, but a disk
/// that is slow all the time is not to slow the service down.
class Patience {
   public:
    [[nodiscard]] bool exhausted() const { return left_ <= 0; }
    [[nodiscard]] std::optional<Instant> end() const {
        return since_ ? std::optional(*since_ + Milliseconds(left_)) : std::nullopt;
    }
    void begin(Instant time) { since_ = time; }
    void finish(Instant time) {
        if (since_) {
            left_ -= (time - *since_).count();
            since_.reset();
        }
    }
    /// One part in twenty of the time in which the writer got on comes back.
    void renew(Instant time) {
        left_ = std::min<std::int64_t>(kMost, left_ + (time - renewed_).count() / 20);
        renewed_ = time;
    }

   private:
    static constexpr std::int64_t kMost = 200;  // milliseconds

    std::int64_t left_ = kMost;
    std::optional<Instant> since_;
    Instant renewed_;
};

class LogStream : public EventSource {
   public:
    LogStream(std::string name, std::uint32_t slot, std::string ring, std::uint64_t boot, StreamListener& listener)
        : name(std::move(name)), slot(slot), ring(std::move(ring), boot), listener_(listener) {}

    void on_events(std::uint32_t /*events*/) override { listener_.on_readable(*this); }

    std::string name;
    std::uint32_t slot;
    LogRing ring;
    std::int64_t size = INT64_C(1) << 20;  // of its files
    int count = 2;
    Fd pipe;               // -1: no service's
    bool leaving = false;  // PID 1 has let go of it: it ends with the last that writes
    LineCutter cutter;
    WriterShare share;
    Patience patience;

   private:
    StreamListener& listener_;
};

}  // namespace thole
