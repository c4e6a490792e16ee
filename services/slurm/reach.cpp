#include "reach.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "base/text.hpp"
#include "os/fd.hpp"
#include "slurm_conf.hpp"

namespace thole::slurm {

Result<Address> address_of(const std::string& name) {
    addrinfo wanted{};
    wanted.ai_family = AF_INET;
    wanted.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (const int error = ::getaddrinfo(name.c_str(), nullptr, &wanted, &found); error != 0) {
        return failure(concat("no address is known for ", name, ": ", ::gai_strerror(error)));
    }
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> guard(found, ::freeaddrinfo);
    const auto* const place = reinterpret_cast<const sockaddr_in*>(found->ai_addr);
    const auto* const bytes = reinterpret_cast<const unsigned char*>(&place->sin_addr);
    Address address;
    std::copy_n(bytes, address.size(), address.bytes.begin());
    return address;
}

Status reach_controller(const Address& address) {
    constexpr int kPatience = 2000;
    const std::string name = concat(address_text(address), " port ", kControllerPort);
    const Fd connection(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!connection) {
        return system_error("make a socket for", name);
    }
    sockaddr_in place{};
    place.sin_family = AF_INET;
    place.sin_port = htons(kControllerPort);
    std::copy_n(address.bytes.begin(), address.size(), reinterpret_cast<unsigned char*>(&place.sin_addr));
    if (::connect(connection.get(), reinterpret_cast<const sockaddr*>(&place), sizeof place) == 0) {
        return {};
    }
    if (errno != EINPROGRESS) {
        return system_error("connect to", name);
    }
    pollfd waiting{connection.get(), POLLOUT, 0};
    if (::poll(&waiting, 1, kPatience) <= 0) {
        return failure(concat("cannot connect to ", name, ": no answer within 2 s"));
    }
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(connection.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    return error == 0 ? Status() : system_error("connect to", name, error);
}

}  // namespace thole::slurm
