// The logger's side of the log writer: it starts the process again when it dies, hands it batches without ever waiting,
// and sees to it that a service that floods does not take the others' place in the queue.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "base/text.hpp"
#include "log/log_batch.hpp"
#include "log/log_places.hpp"
#include "os/event_loop.hpp"

namespace thole {

/// What one log has in the queue, and what did not get into it.
struct WriterShare {
    std::uint64_t lost = 0;   // lines that the writer does not know of yet
    std::uint64_t round = 0;  // the round that `used` counts in
    Instant since;            // when it began to count
    std::size_t used = 0;     // bytes handed over since then
};

class RoomListener {
   public:
    virtual ~RoomListener() = default;
    /// The writer has caught up.
    virtual void on_room() = 0;
};

class WriterLink : public EventSource {
   public:
    WriterLink(EventLoop& loop, const LogPlaces& places, RoomListener& listener)
        : loop_(loop), places_(places), listener_(listener) {}

    /// Makes the queue and starts the writer. An error where there can be no queue; a writer that cannot be started is
    /// tried again.
    Status start();

    /// Whether a batch of this log with so many bytes may go now. A round ends when the queue is nearly empty and, for
    /// each log, after a tenth of a second; in a round a log may fill a quarter of the queue, and the last quarter is
    /// for those that say little and have lost nothing.
    [[nodiscard]] bool has_room(WriterShare& share, std::size_t bytes);

    /// Hands a batch over; `batch.lost` is set from the share. False where it did not get into the queue.
    bool send(WriterShare& share, LogBatch& batch, std::string_view lines);

    /// Asks for on_room().
    void want_room();

    void on_events(std::uint32_t events) override;
    [[nodiscard]] std::optional<Instant> next_deadline() const { return again_; }
    void on_time();

    /// From now on send() waits, until `deadline` at the most.
    void begin_end(Instant deadline) { end_ = deadline; }

    /// Closes the queue and waits until the writer has ended.
    void finish();

   private:
    void start_writer();

    EventLoop& loop_;
    const LogPlaces& places_;
    RoomListener& listener_;
    Fd queue_;      // our end
    Fd other_end_;  // the writer's: held here too, so that the queue survives the writer
    Fd alive_;      // a pipe that the writer holds open
    std::size_t limit_ = 0;
    std::uint64_t round_ = 1;
    bool wanting_ = false;
    Instant started_;
    std::optional<Instant> again_;
    std::optional<Instant> end_;
};

}  // namespace thole
