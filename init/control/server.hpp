// PID 1's end of the control socket. A peer that sends slowly, never reads, sends garbage or goes away costs one of a
// fixed number of places for a few seconds, and nothing else.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "os/clock.hpp"
#include "os/event_loop.hpp"
#include "os/fd.hpp"

namespace thole {

/// Answers one request: the body behind "ok", or an error that the person sees.
class RequestHandler {
   public:
    virtual ~RequestHandler() = default;
    virtual Result<std::string> answer(const std::vector<std::string_view>& words) = 0;
};

class ControlServer : public EventSource {
   public:
    /// Requests that are served at one time; further ones wait in the kernel's queue.
    static constexpr std::size_t kMostRequests = 32;
    /// Readers of `events`, who stay; further ones get an error.
    static constexpr std::size_t kMostReaders = 16;
    /// What a reader of `events` may leave unread before it is dropped.
    static constexpr std::size_t kMostUnread = 64 << 10;

    /// Binds PATH (root only) and listens.
    static Result<std::unique_ptr<ControlServer>> listen(const std::string& path, EventLoop& loop,
                                                         RequestHandler& handler);
    ~ControlServer() override;

    void on_events(std::uint32_t events) override;

    /// Sends a line (with its end; see UnitEvent) to every reader of `events`. Costs nothing where there is none, and
    /// may be called at any time, also while a request is being answered.
    void publish(std::string_view line);

    /// Whether anybody would get what is published.
    [[nodiscard]] bool has_readers() const { return !readers_.empty(); }

    /// Closes connections that have had their time at `time`.
    void on_time(Instant time = now());
    [[nodiscard]] std::optional<Instant> next_deadline() const;

   private:
    class Connection;
    class Reader;

    ControlServer(Fd socket, EventLoop& loop, RequestHandler& handler);
    void refuse_one();
    void pause_accepting();
    void resume_accepting();
    void forget(const Connection& connection);
    void forget_reader(const Reader& reader);
    Result<std::string> answer(const std::vector<std::string_view>& words);
    void add_reader(Fd socket);

    Fd socket_;
    Fd spare_;  // given up for a moment to take and refuse a connection where no descriptor is left
    EventLoop& loop_;
    RequestHandler& handler_;
    std::vector<std::unique_ptr<Connection>> connections_;
    std::vector<std::unique_ptr<Reader>> readers_;
    bool accepting_ = true;
    std::optional<Instant> accept_again_;
};

}  // namespace thole
