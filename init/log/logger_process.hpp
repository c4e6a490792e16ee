// The logger process as a class; logger.cpp has its life, logger_reading.cpp the way of a line through it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "log/forwarder.hpp"
#include "log/kernel_log.hpp"
#include "log/log_message.hpp"
#include "log/log_stream.hpp"
#include "log/logger.hpp"
#include "log/writer_link.hpp"
#include "os/console.hpp"

namespace thole {

inline constexpr Milliseconds kLoggerEnd{2000};  // for everything that is still to be written at the end

class Logger : public EventSource, public RoomListener, public StreamListener {
   public:
    Logger(EventLoop loop, const LoggerSettings& settings);

    int run();
    void on_events(std::uint32_t events) override;  // PID 1 and the kernel
    void on_room() override;
    void on_readable(LogStream& stream) override;

   private:
    struct KernelSource : EventSource {
        explicit KernelSource(Logger& owner) : logger(owner) {}
        void on_events(std::uint32_t /*events*/) override { logger.read_kernel(); }
        Logger& logger;
    };

    void open_kernel_log();
    void open_forwarder();
    void read_kernel();
    void take_message(const LogMessage& message, Fd pipe);
    LogStream* find(std::string_view name);
    LogStream& stream_of(std::string_view name);
    void add(const LogMessage& message, Fd pipe);
    void forget(LogStream& stream);
    enum class Read : unsigned char { some, nothing, end };
    Read read_pipe(LogStream& stream);
    void drain(LogStream& stream, Instant deadline);
    void deliver(LogStream& stream, LogTime time, unsigned priority, std::string_view lines, bool forwards);
    void hand_over(LogStream& stream, LogTime time, std::string_view lines);
    void say(std::string_view text);
    void show_tail(LogStream& stream);
    void hold(LogStream& stream);
    void release(LogStream& stream, Instant time);
    [[nodiscard]] std::optional<Instant> next_deadline();
    void on_time();
    void finish();

    const LoggerSettings& settings_;
    EventLoop loop_;
    Console console_;
    std::uint64_t boot_;
    WriterLink link_;
    KernelSource kernel_source_{*this};
    std::optional<KernelLog> kernel_;
    std::unique_ptr<Forwarder> forwarder_;
    std::vector<std::unique_ptr<LogStream>> streams_;  // by slot; empty ones may be taken
    std::size_t held_ = 0;                             // streams that wait for the writer
    std::string lines_;
    std::string stamped_;
    bool over_ = false;
};

}  // namespace thole
