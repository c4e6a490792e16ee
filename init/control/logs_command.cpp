#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "control/commands.hpp"
#include "log/log_reader.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

constexpr std::size_t kDefaultLines = 100;
constexpr std::size_t kOutput = 16U << 10U;  // bytes printed at once, about
constexpr std::string_view kUsage =
    "usage: thole logs [-f] [-n LINES] [--since WHEN] [--boot[=-N]] [--json] NAME...\n"
    "  -f            goes on with what comes\n"
    "  -n LINES      the last ones; 100 where no --since or --boot says otherwise\n"
    "  --since WHEN  10m, 2h, 2026-01-31, \"2026-01-31 12:00\" or 12:00 (UTC)\n"
    "  --boot[=-N]   this boot's lines, or those of the N-th boot before\n"
    "NAME is a service, `thole` (PID 1's own messages) or `kernel`\n";

struct LogRequest {
    std::size_t lines = SIZE_MAX;
    bool follow = false;
    bool json = false;
    std::string_view since;
    std::optional<std::int64_t> boot;  // how many boots before this one
    std::vector<std::string> names;
};

/// The value of an option, "--NAME VALUE" or "--NAME=VALUE"; moves `at` on where it is the next argument.
std::optional<std::string_view> option(Arguments arguments, std::size_t& at, std::string_view name) {
    const std::string_view word = arguments[at];
    if (word == name && at + 1 < arguments.size()) {
        return arguments[++at];
    }
    if (name.starts_with("--") && word.starts_with(name) && word.substr(name.size()).starts_with('=')) {
        return word.substr(name.size() + 1);
    }
    return std::nullopt;
}

Result<LogRequest> read_arguments(Arguments arguments) {
    LogRequest request;
    for (std::size_t at = 0; at < arguments.size(); ++at) {
        const std::string_view word = arguments[at];
        if (word == "-f") {
            request.follow = true;
        } else if (word == "--json") {
            request.json = true;
        } else if (word == "--boot") {
            request.boot = 0;
        } else if (const auto lines = option(arguments, at, "-n")) {
            const auto count = parse_integer(*lines, 0, 1'000'000);
            if (!count) {
                return std::unexpected(count.error());
            }
            request.lines = static_cast<std::size_t>(*count);
        } else if (const auto since = option(arguments, at, "--since")) {
            request.since = *since;
        } else if (const auto boot = option(arguments, at, "--boot")) {
            const auto number = parse_integer(*boot, -1000, 0);
            if (!number) {
                return std::unexpected(number.error());
            }
            request.boot = -*number;
        } else if (word.starts_with('-')) {
            return failure({});  // the usage
        } else {
            request.names.emplace_back(word);
        }
    }
    if (request.names.empty()) {
        return failure({});  // the usage
    }
    if (request.lines == SIZE_MAX && request.since.empty() && !request.boot) {
        request.lines = kDefaultLines;
    }
    return request;
}

/// A unit that has said nothing yet has no log, but its name is right.
bool is_unit(const std::string& name) {
    const auto instance = name.find('@');
    for (const std::string_view directory : {"/usr/lib/thole/units/", "/var/lib/thole/units/", "/run/thole/units/"}) {
        if (path_exists(concat(directory, name, ".unit")) ||
            (instance != std::string::npos && path_exists(concat(directory, name.substr(0, instance + 1), ".unit")))) {
            return true;
        }
    }
    return false;
}

Status check_name(const std::string& name, const LogPlaces& places) {
    if (name.find('/') == std::string::npos &&
        (path_exists(places.file(name)) || path_exists(places.ring(name)) || is_unit(name))) {
        return {};
    }
    const auto names = log_names(places);
    const auto nearest = nearest_name(name, std::vector<std::string_view>(names.begin(), names.end()));
    return failure(concat("there is no log of '", name, "'",
                          nearest.empty() ? "; `thole status` lists the services" : "; did you mean ", nearest,
                          nearest.empty() ? "" : "?"));
}

/// Puts the lines of several logs into one order of time and prints those that are wanted.
class Merger {
   public:
    Merger(const LogRequest& request, const LogPlaces& places, LogFilter filter)
        : request_(request), filter_(std::move(filter)) {
        const bool filtered = !request.since.empty() || request.boot;
        for (const std::string& name : request.names) {
            inputs_.push_back({LogReader(places, name)});
            inputs_.back().reader.open(filtered ? SIZE_MAX : request.lines);
        }
    }

    /// The lines there are now, only the last ones where the request says how many.
    void show_present() {
        windowed_ = request_.lines != SIZE_MAX;
        pump(request_.follow ? ripe() : INT64_MAX);
        for (std::size_t at = 0; at < window_.size(); ++at) {
            put(window_[(oldest_ + at) % window_.size()]);
        }
        windowed_ = false;
        window_ = {};
        flush();
    }

    /// What has come since.
    void show_new() {
        pump(ripe());
        flush();
    }

   private:
    struct Input {
        LogReader reader;
        bool there = false;  // its line waits to be printed
        bool ended = false;
    };

    /// A line that is in no file a second after it was read is taken from the ring: the disk is full or slow.
    static std::int64_t ripe() { return LogTime::now().boot - 1000; }

    void pump(std::int64_t until) {
        for (Input& input : inputs_) {
            input.ended = false;
        }
        while (Input* first = earliest(until)) {
            first->there = false;
            if (filter_.wants(first->reader)) {
                keep(text_of(first->reader));
            }
        }
    }

    Input* earliest(std::int64_t until) {
        Input* first = nullptr;
        for (Input& input : inputs_) {
            if (!input.there && !input.ended) {
                input.there = input.reader.next();
                if (!input.there) {
                    input.ended = true;
                    input.reader.take_ring(until);
                    input.there = input.reader.next();
                }
            }
            if (input.there && (first == nullptr || earlier_line(input.reader, first->reader))) {
                first = &input;
            }
        }
        return first;
    }

    std::string text_of(const LogReader& reader) {
        if (request_.json) {
            return concat("{\"log\": ", json_string(reader.name()), ", \"time\": \"", time_text(reader.time().wall),
                          "\", \"boot_ms\": ", reader.time().boot, ", \"text\": ", json_string(reader.text()), "}\n");
        }
        const bool rebooted = !shown_boot_.empty() && !reader.boot().empty() && reader.boot() != shown_boot_;
        shown_boot_ = reader.boot();
        return concat(rebooted ? "-- boot --\n" : "", inputs_.size() > 1 ? concat(reader.name(), ": ") : std::string(),
                      reader.line(), "\n");
    }

    void keep(std::string text) {
        if (!windowed_) {
            put(text);
        } else if (window_.size() < request_.lines) {
            window_.push_back(std::move(text));
        } else if (request_.lines > 0) {
            window_[oldest_] = std::move(text);
            oldest_ = (oldest_ + 1) % window_.size();
        }
    }

    void put(std::string_view text) {
        output_ += text;
        if (output_.size() >= kOutput) {
            flush();
        }
    }

    void flush() {
        print(output_);
        output_.clear();
    }

    const LogRequest& request_;
    LogFilter filter_;
    std::vector<Input> inputs_;
    bool windowed_ = false;
    std::vector<std::string> window_;  // round and round
    std::size_t oldest_ = 0;
    std::string shown_boot_;
    std::string output_;
};

Result<LogFilter> make_filter(const LogRequest& request, const LogPlaces& places) {
    LogFilter filter;
    filter.current_boot = boot_identity();
    if (!request.since.empty()) {
        if (auto set = set_since(filter, request.since, LogTime::now()); !set) {
            return std::unexpected(set.error());
        }
    }
    if (request.boot) {
        std::vector<std::string> names = request.names;
        names.emplace_back(kOwnLog);  // it has a line of every boot
        const auto boots = boots_in(places, names, filter.current_boot);
        const auto back = static_cast<std::size_t>(*request.boot);
        if (back >= boots.size()) {
            return failure(concat("the logs know of ", boots.size() - 1, " boots before this one, not of ", back));
        }
        filter.boot = boots[boots.size() - 1 - back];
    }
    return filter;
}

/// Prints what is added to files and rings until it is interrupted. Asleep where nothing is added.
int follow(Merger& merger, const LogPlaces& places) {
    constexpr int kRipe = 1100;  // milliseconds until a ring's line counts as missing in its file
    const Fd watch(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    bool watched = false;
    for (const std::string& directory : {places.files, places.rings}) {
        watched = (watch && ::inotify_add_watch(watch.get(), directory.c_str(), IN_MODIFY | IN_CREATE) >= 0) || watched;
    }
    if (!watched) {
        return complain(system_error("watch", places.files).error());
    }
    merger.show_present();
    std::array<char, 4096> events;
    int timeout = kRipe;  // what came before the watch
    while (true) {
        std::array<pollfd, 2> waiting{{{watch.get(), POLLIN, 0}, {STDOUT_FILENO, 0, 0}}};
        const int count = ::poll(waiting.data(), waiting.size(), timeout);
        if ((waiting[1].revents & (POLLERR | POLLHUP)) != 0) {
            return 0;  // nobody reads any more
        }
        while (::read(watch.get(), events.data(), events.size()) > 0) {
        }
        timeout = count > 0 ? kRipe : -1;
        merger.show_new();
    }
}

}  // namespace

int logs_command(Arguments arguments) {
    const LogPlaces places;
    const auto request = read_arguments(arguments);
    if (!request) {
        const bool usage = request.error().message.empty();
        return usage ? complain_usage(kUsage) : (complain(request.error()), kWrongCall);
    }
    for (const std::string& name : request->names) {
        if (auto known = check_name(name, places); !known) {
            (void)complain(known.error());
            return kNoSuchUnit;
        }
    }
    auto filter = make_filter(*request, places);
    if (!filter) {
        (void)complain(filter.error());
        return kWrongCall;
    }
    Merger merger(*request, places, std::move(*filter));
    if (request->follow) {
        return follow(merger, places);
    }
    merger.show_present();
    return 0;
}

}  // namespace thole
