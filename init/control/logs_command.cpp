#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <vector>

#include "base/text.hpp"
#include "control/commands.hpp"
#include "log/log_channel.hpp"
#include "log/tail.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

constexpr std::size_t kDefaultLines = 100;

struct LogRequest {
    std::size_t lines = kDefaultLines;
    bool follow = false;
    std::vector<std::string> names;
};

Result<LogRequest> read_arguments(Arguments arguments) {
    LogRequest request;
    for (std::size_t at = 0; at < arguments.size(); ++at) {
        if (arguments[at] == "-f") {
            request.follow = true;
        } else if (arguments[at] == "-n" && at + 1 < arguments.size()) {
            const auto lines = parse_integer(arguments[++at], 0, 1'000'000);
            if (!lines) {
                return std::unexpected(lines.error());
            }
            request.lines = static_cast<std::size_t>(*lines);
        } else {
            request.names.emplace_back(arguments[at]);
        }
    }
    if (request.names.empty() || (request.follow && request.names.size() > 1)) {
        return failure("usage: thole logs [-n LINES] [-f] NAME... (-f follows one)");
    }
    return request;
}

/// Prints what is added to the file, and goes on with the new file after a rotation, until it is interrupted.
int follow(const std::string& path) {
    const Fd watch(::inotify_init1(IN_CLOEXEC));
    if (!watch || ::inotify_add_watch(watch.get(), std::string(kLogDirectory).c_str(), IN_MODIFY | IN_CREATE) < 0) {
        return complain(system_error("watch", kLogDirectory).error());
    }
    auto file = open_file(path, O_RDONLY);
    if (file) {
        ::lseek(file->get(), 0, SEEK_END);
    }
    std::array<char, 16'384> buffer;
    while (::read(watch.get(), buffer.data(), buffer.size()) > 0) {
        auto reopened = open_file(path, O_RDONLY);
        const bool rotated =
            reopened && file && ::lseek(reopened->get(), 0, SEEK_END) < ::lseek(file->get(), 0, SEEK_CUR);
        if (!file || rotated) {
            file = std::move(reopened);
            if (file) {
                ::lseek(file->get(), 0, SEEK_SET);
            }
        }
        ssize_t count = 0;
        while (file && (count = ::read(file->get(), buffer.data(), buffer.size())) > 0) {
            print({buffer.data(), static_cast<std::size_t>(count)});
        }
    }
    return 0;
}

}  // namespace

int logs_command(Arguments arguments) {
    const auto request = read_arguments(arguments);
    if (!request) {
        return complain(request.error());
    }
    for (const std::string& name : request->names) {
        if (name.find('/') != std::string::npos || (!path_exists(log_path(name)) && !request->follow)) {
            return complain(Error{concat("there is no log of '", name, "' in ", kLogDirectory), 0});
        }
        for (const std::string& line : last_lines(log_path(name), request->lines)) {
            print(request->names.size() > 1 ? concat(name, ": ", line, "\n") : concat(line, "\n"));
        }
    }
    return request->follow ? follow(log_path(request->names[0])) : 0;
}

}  // namespace thole
