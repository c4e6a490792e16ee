// A logger process, its writer, and the channel that PID 1 would have; real pipes, real files.
#pragma once

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "base/text.hpp"
#include "log/log_channel.hpp"
#include "log/log_ring.hpp"
#include "log/logger.hpp"
#include "log_places_of.hpp"
#include "os/clock.hpp"
#include "os/file.hpp"

namespace thole {

/// Waits until it is so; what it waits for is another process.
template <typename Look>
void wait_for(Look look) {
    const Instant limit = now() + Milliseconds(60'000);
    while (!look() && now() < limit) {
        ::poll(nullptr, 0, 5);
    }
    REQUIRE(look());
}

/// Ends the logger with itself.
class LoggerScene {
   public:
    LoggerScene() : places(places_in(folder)) { settings.places = places; }
    ~LoggerScene() { end(); }
    LoggerScene(const LoggerScene&) = delete;
    LoggerScene& operator=(const LoggerScene&) = delete;

    void start() {
        const Fd theirs = std::move(channel.connect().value());
        logger = ::fork();
        if (logger == 0) {
            // As spawn() leaves it: the connection and nothing else.
            ::dup2(theirs.get(), 3);
            for (int number = 4; number < 4096; ++number) {
                ::close(number);
            }
            settings.connection = 3;
            ::_exit(run_logger(settings));
        }
    }

    /// Until the logger has put everything on disk.
    void end() {
        if (logger > 0) {
            channel.disconnect();
            ::waitpid(logger, &status, 0);
            logger = -1;
        }
    }

    void kill_logger() {
        ::kill(logger, SIGKILL);
        ::waitpid(logger, nullptr, 0);
        logger = -1;
    }

    [[nodiscard]] pid_t writer() const {
        while (true) {
            const auto children = read_file(concat("/proc/", logger, "/task/", logger, "/children"));
            const auto words = children ? split_words(*children) : std::vector<std::string_view>();
            if (!words.empty()) {
                return static_cast<pid_t>(parse_integer(words[0], 1, INT32_MAX).value_or(-1));
            }
        }
    }

    /// Stops the writer in its tracks, as a disk that does not answer does.
    [[nodiscard]] pid_t stop_writer() const {
        const pid_t stopped = writer();
        ::kill(stopped, SIGSTOP);
        wait_for([&] {
            return read_file(concat("/proc/", stopped, "/stat")).value_or("").find(") T ") != std::string::npos;
        });
        return stopped;
    }

    void write(std::string_view name, std::string_view text) const {
        REQUIRE(write_all(channel.output_of(name), text, name));
    }

    [[nodiscard]] std::string file(std::string_view name) const {
        return read_file(places.file(name), SIZE_MAX).value_or("");
    }
    [[nodiscard]] std::string ring(std::string_view name) const {
        const auto content = read_ring(places.ring(name), boot_number());
        return content ? content->text : "";
    }

    TemporaryFolder folder;
    LogPlaces places;
    LoggerSettings settings;
    LogChannel channel;
    pid_t logger = -1;
    int status = -1;
};

}  // namespace thole
