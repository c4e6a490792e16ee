#include "os/listener.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

constexpr int kBacklog = 4096;

/// Only a socket is replaced: a path that a person has mistyped must not cost a file.
void clear_path(const std::string& path) {
    struct stat information{};
    if (::lstat(path.c_str(), &information) == 0 && S_ISSOCK(information.st_mode)) {
        ::unlink(path.c_str());
    } else {
        (void)make_directories(path.substr(0, path.rfind('/')));
    }
}

}  // namespace

Result<Fd> open_listener(std::string_view text) {
    const auto where = parse_listen_address(text);
    if (!where) {
        return std::unexpected(where.error());
    }
    Fd fd(::socket(where->address.storage.ss_family, where->type | SOCK_CLOEXEC, 0));
    if (!fd) {
        return system_error("make the socket", text);
    }
    const int on = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (!where->path.empty()) {
        clear_path(where->path);
    }
    const bool stream = where->type == SOCK_STREAM;
    if (::bind(fd.get(), where->address.get(), where->address.size) != 0 ||
        (stream && ::listen(fd.get(), kBacklog) != 0)) {
        return system_error("listen on", text);
    }
    if (!where->path.empty()) {
        ::chmod(where->path.c_str(), 0666);
    }
    return fd;
}

}  // namespace thole
