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
    /// Binds PATH (root only) and listens.
    static Result<std::unique_ptr<ControlServer>> listen(const std::string& path, EventLoop& loop,
                                                         RequestHandler& handler);
    ~ControlServer() override;

    void on_events(std::uint32_t events) override;

    /// Closes connections that have had their time.
    void on_time();
    [[nodiscard]] std::optional<Instant> next_deadline() const;

   private:
    class Connection;

    ControlServer(Fd socket, EventLoop& loop, RequestHandler& handler);
    void forget(const Connection& connection);

    Fd socket_;
    EventLoop& loop_;
    RequestHandler& handler_;
    std::vector<std::unique_ptr<Connection>> connections_;
    bool accepting_ = true;
};

}  // namespace thole
