#include "os/probe.hpp"

#include <poll.h>

#include <cerrno>

namespace thole {

bool Probe::ask() {
    if (fd_) {
        return connected();
    }
    fd_ = Fd(::socket(address_.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd_) {
        return false;
    }
    if (::connect(fd_.get(), address_.get(), address_.size) == 0) {
        fd_.reset();
        return true;
    }
    if (errno != EINPROGRESS) {
        fd_.reset();
        return false;
    }
    return connected();
}

bool Probe::connected() {
    pollfd waiting{fd_.get(), POLLOUT, 0};
    if (::poll(&waiting, 1, 0) != 1) {
        return false;
    }
    int error = 0;
    socklen_t size = sizeof error;
    const bool accepted = ::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
    fd_.reset();
    return accepted;
}

}  // namespace thole
