// Where a server listens: at an address outside, and on the mesh's device as often as there is one.
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>

#include <cstring>

#include "server_parts.hpp"
#include "wires.hpp"

namespace thole::remote {

namespace {

constexpr int kBacklog = 128;

/// Listens at an address, or on a device at all of its addresses.
Result<Fd> listen_at(const Address& address, std::uint16_t port, std::string_view device) {
    Fd socket(::socket(address.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const std::string name = concat(address_text(address), " port ", port);
    if (!socket) {
        return system_error("make a socket for", name);
    }
    // The mesh's device has a listener of its own beside the one for all addresses; the kernel prefers that.
    for (const int option : {SO_REUSEADDR, SO_REUSEPORT}) {
        const int on = 1;
        ::setsockopt(socket.get(), SOL_SOCKET, option, &on, sizeof on);
    }
    if (!device.empty() && ::setsockopt(socket.get(), SOL_SOCKET, SO_BINDTODEVICE, device.data(),
                                        static_cast<socklen_t>(device.size())) != 0) {
        return system_error("listen on", device);
    }
    const SocketAddress where = socket_address(address, port);
    if (::bind(socket.get(), where.get(), where.size) != 0 || ::listen(socket.get(), kBacklog) != 0) {
        return system_error("listen at", name);
    }
    return socket;
}

}  // namespace

Status Server::open() {
    if (settings_.outside) {
        auto socket = listen_at(*settings_.outside, settings_.places.port, {});
        if (!socket) {
            return std::unexpected(socket.error());
        }
        outside_ = std::make_unique<Listener>(*this, std::move(*socket), false);
        if (auto added = loop_.add(outside_->socket(), EPOLLIN, *outside_); !added) {
            return added;
        }
    }
    Fd links(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
    sockaddr_nl groups{};
    groups.nl_family = AF_NETLINK;
    groups.nl_groups = RTMGRP_LINK;
    if (!links || ::bind(links.get(), reinterpret_cast<const sockaddr*>(&groups), sizeof groups) != 0) {
        return system_error("watch", "the network interfaces");
    }
    const int number = links.get();
    links_ = std::make_unique<LinkWatch>(*this, std::move(links));
    if (auto added = loop_.add(number, EPOLLIN, *links_); !added) {
        return added;
    }
    open_mesh_listener();
    return {};
}

/// A device that was made anew has another index, and a socket of the old one hears nothing more.
void Server::open_mesh_listener() {
    const std::string& device = settings_.places.device;
    const unsigned index = ::if_nametoindex(device.c_str());
    if (index == mesh_index_) {
        return;
    }
    mesh_.reset();
    mesh_index_ = 0;
    if (index == 0) {
        say(concat(device, " is gone: nodes are not answered until it is back"));
        return;
    }
    auto socket = listen_at({.family = AF_INET6, .bytes = {}}, settings_.places.port, device);
    if (!socket) {
        say(socket.error().message);
        return;
    }
    auto listener = std::make_unique<Listener>(*this, std::move(*socket), true);
    if (loop_.add(listener->socket(), EPOLLIN, *listener)) {
        mesh_ = std::move(listener);
        mesh_index_ = index;
        say(concat("answers on ", device));
    }
}

std::uint16_t Server::outside_port() const {
    SocketAddress own;
    own.size = sizeof own.storage;
    ::getsockname(outside_->socket(), reinterpret_cast<sockaddr*>(&own.storage), &own.size);
    // The port stands at the same place in both families.
    sockaddr_in place{};
    std::memcpy(&place, &own.storage, sizeof place);
    return ntohs(place.sin_port);
}

}  // namespace thole::remote
