// Sends log lines to one address in the network. It never waits: what the network does not take is dropped, counted,
// and said when it takes lines again.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/socket_address.hpp"
#include "base/text.hpp"
#include "log/log_line.hpp"
#include "os/event_loop.hpp"

namespace thole {

class Forwarder : public EventSource {
   public:
    /// `target` is "udp:ADDRESS:PORT" or "tcp:ADDRESS:PORT" with a numeric address; `format` is "syslog" (RFC 5424; a
    /// datagram each, counted octets on TCP as in RFC 6587) or "json" (a line each).
    static Result<std::unique_ptr<Forwarder>> make(std::string_view target, std::string_view format, EventLoop& loop);
    ~Forwarder() override = default;

    /// `lines` have their ends but no stamps.
    void send(std::string_view log, LogTime time, unsigned priority, std::string_view lines);

    void on_events(std::uint32_t events) override;
    [[nodiscard]] std::optional<Instant> next_deadline() const { return again_; }
    void on_time();

    /// What there is to say in the log of PID 1 since the last call: a connection made or lost, and lines dropped.
    std::string take_news();

   private:
    Forwarder(EventLoop& loop, const SocketAddress& address, std::string target)
        : loop_(loop), address_(address), target_(std::move(target)) {}

    void connect();
    void disconnect(int error);
    void say_lost();
    void put(std::string_view log, LogTime time, unsigned priority, std::string_view text);
    void flush();

    EventLoop& loop_;
    SocketAddress address_;
    std::string target_;
    bool stream_ = false;
    bool json_ = false;
    Fd fd_;
    bool up_ = false;
    Instant since_;       // when it came up
    Instant next_count_;  // before it no count of lost lines is said
    Milliseconds delay_{0};
    std::optional<Instant> again_;
    std::string queue_;                 // whole messages, of the first maybe only what is not sent yet
    std::vector<std::uint32_t> sizes_;  // of the messages in the queue
    std::size_t sent_ = 0;              // bytes of the queue that are sent
    std::uint64_t lost_ = 0;
    std::string news_;
};

}  // namespace thole
