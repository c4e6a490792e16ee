#include "wires.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/text.hpp"

namespace thole::remote {

namespace {

/// Waits for an event of a socket; false when the time is over.
bool wait_for(int socket, short events, Instant deadline) {
    while (true) {
        const auto left = std::max<std::int64_t>((deadline - now()).count(), 0);
        pollfd waiting{socket, events, 0};
        const int count = ::poll(&waiting, 1, static_cast<int>(std::min<std::int64_t>(left, 60'000)));
        if (count > 0) {
            return true;
        }
        if (count == 0 && left == 0) {
            return false;
        }
    }
}

void set_option(int socket, int level, int option, int value) {
    ::setsockopt(socket, level, option, &value, sizeof value);
}

}  // namespace

Result<mesh::Block> random_block() {
    mesh::Block block{};
    if (::getrandom(block.data(), block.size(), 0) != static_cast<ssize_t>(block.size())) {
        return system_error("get random numbers from", "the kernel");
    }
    return block;
}

SocketAddress socket_address(const Address& address, std::uint16_t port) {
    SocketAddress result;
    if (address.family == AF_INET) {
        sockaddr_in four{};
        four.sin_family = AF_INET;
        four.sin_port = htons(port);
        std::memcpy(&four.sin_addr, address.bytes.data(), sizeof four.sin_addr);
        std::memcpy(&result.storage, &four, sizeof four);
        result.size = sizeof four;
    } else {
        sockaddr_in6 six{};
        six.sin6_family = AF_INET6;
        six.sin6_port = htons(port);
        std::memcpy(&six.sin6_addr, address.bytes.data(), sizeof six.sin6_addr);
        std::memcpy(&result.storage, &six, sizeof six);
        result.size = sizeof six;
    }
    return result;
}

Address address_of(const SocketAddress& socket) {
    Address address;
    if (socket.storage.ss_family == AF_INET) {
        sockaddr_in four{};
        std::memcpy(&four, &socket.storage, sizeof four);
        std::memcpy(address.bytes.data(), &four.sin_addr, sizeof four.sin_addr);
        return address;
    }
    sockaddr_in6 six{};
    std::memcpy(&six, &socket.storage, sizeof six);
    address.family = AF_INET6;
    std::memcpy(address.bytes.data(), &six.sin6_addr, sizeof six.sin6_addr);
    if (IN6_IS_ADDR_V4MAPPED(&six.sin6_addr)) {
        address.family = AF_INET;
        std::copy_n(address.bytes.begin() + 12, 4, address.bytes.begin());
        std::fill(address.bytes.begin() + 4, address.bytes.end(), static_cast<unsigned char>(0));
    }
    return address;
}

Result<Fd> connect_to(const SocketAddress& address, std::string_view device, Instant deadline) {
    const std::string name = address_text(address_of(address));
    Fd socket(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) {
        return system_error("make a socket to", name);
    }
    if (!device.empty() && ::setsockopt(socket.get(), SOL_SOCKET, SO_BINDTODEVICE, device.data(),
                                        static_cast<socklen_t>(device.size())) != 0) {
        return system_error("reach the mesh by", device);
    }
    if (::connect(socket.get(), address.get(), address.size) != 0 && errno != EINPROGRESS) {
        return system_error("connect to", name);
    }
    if (!wait_for(socket.get(), POLLOUT, deadline)) {
        return system_error("connect to", name, ETIMEDOUT);
    }
    int code = 0;
    socklen_t size = sizeof code;
    ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &code, &size);
    if (code != 0) {
        return system_error("connect to", name, code);
    }
    keep_alive(socket.get());
    return socket;
}

void keep_alive(int socket) {
    set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(socket, IPPROTO_TCP, TCP_KEEPIDLE, 60);
    set_option(socket, IPPROTO_TCP, TCP_KEEPINTVL, 15);
    set_option(socket, IPPROTO_TCP, TCP_KEEPCNT, 4);
    set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1);
}

Status send_all(int socket, std::string_view bytes, Instant deadline) {
    while (!bytes.empty()) {
        const ssize_t count = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (count >= 0) {
            bytes.remove_prefix(static_cast<std::size_t>(count));
        } else if (errno == EAGAIN) {
            if (!wait_for(socket, POLLOUT, deadline)) {
                return system_error("send to", "the other end", ETIMEDOUT);
            }
        } else if (errno != EINTR) {
            return system_error("send to", "the other end");
        }
    }
    return {};
}

Status receive_all(int socket, std::span<std::uint8_t> room, Instant deadline, std::string_view who) {
    while (!room.empty()) {
        const ssize_t count = ::recv(socket, room.data(), room.size(), 0);
        if (count > 0) {
            room = room.subspan(static_cast<std::size_t>(count));
        } else if (count == 0) {
            return failure(concat(who, " has closed the connection"));
        } else if (errno == EAGAIN) {
            if (!wait_for(socket, POLLIN, deadline)) {
                return failure(concat(who, " does not answer"));
            }
        } else if (errno != EINTR) {
            return system_error("read from", who);
        }
    }
    return {};
}

Result<Address> find_node(std::string_view hosts, std::string_view name, const Network& range) {
    std::vector<std::string_view> names;
    for (const std::string_view line : split(hosts, '\n')) {
        const auto words = split_words(line.substr(0, line.find('#')));
        const auto address = words.size() < 2 ? failure({}) : parse_address(words[0]);
        if (!address || !network_contains(range, *address)) {
            continue;
        }
        for (std::size_t at = 1; at < words.size(); ++at) {
            if (words[at] == name) {
                return *address;
            }
            names.push_back(words[at]);
        }
    }
    const auto near = nearest_name(name, names);
    return failure(concat("there is no node '", name, "' in the mesh", near.empty() ? "" : "; did you mean '", near,
                          near.empty() ? "; `thole mesh peers` lists them" : "'?"));
}

}  // namespace thole::remote
