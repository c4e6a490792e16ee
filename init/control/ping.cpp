#include "control/ping.hpp"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "base/text.hpp"
#include "os/fd.hpp"

namespace thole {

namespace {

constexpr std::int64_t kPatience = 1'000'000;  // microseconds
constexpr std::size_t kHeader = 8;             // type, code, checksum, identifier, sequence
constexpr std::size_t kPacket = kHeader + 24;

using Packet = std::array<std::uint8_t, kPacket>;

std::int64_t microseconds() {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<std::int64_t>(time.tv_sec) * 1'000'000 + time.tv_nsec / 1000;
}

/// RFC 1071.
std::uint16_t checksum(const Packet& packet) {
    std::uint32_t sum = 0;
    for (std::size_t index = 0; index < packet.size(); index += 2) {
        sum += (std::uint32_t{packet[index]} << 8U) | packet[index + 1];
    }
    while (sum > 0xFFFFU) {
        sum = (sum & 0xFFFFU) + (sum >> 16U);
    }
    return static_cast<std::uint16_t>(~sum);
}

void put(Packet& packet, std::size_t at, std::uint16_t number) {
    packet[at] = static_cast<std::uint8_t>(number >> 8U);
    packet[at + 1] = static_cast<std::uint8_t>(number);
}

Packet request(bool ipv4, std::uint16_t identifier, std::uint16_t sequence) {
    Packet packet{};
    packet[0] = ipv4 ? std::uint8_t{ICMP_ECHO} : std::uint8_t{ICMP6_ECHO_REQUEST};
    put(packet, 4, identifier);
    put(packet, 6, sequence);
    if (ipv4) {
        put(packet, 2, checksum(packet));  // of ICMPv6 the kernel makes it, with the addresses in it
    }
    return packet;
}

/// Whether a packet is the answer. A raw IPv4 socket gives the IP header too (raw(7)).
bool is_answer(std::span<const std::uint8_t> packet, const Packet& asked, bool ipv4) {
    if (ipv4) {
        const std::size_t header = packet.empty() ? 0 : (packet[0] & 0x0FU) * std::size_t{4};
        packet = packet.subspan(std::min(header, packet.size()));
    }
    const std::uint8_t wanted = ipv4 ? std::uint8_t{ICMP_ECHOREPLY} : std::uint8_t{ICMP6_ECHO_REPLY};
    return packet.size() >= kHeader && packet[0] == wanted &&
           std::equal(packet.begin() + 4, packet.begin() + kHeader, asked.begin() + 4);
}

class Pinger {
   public:
    Pinger(Fd socket, const Address& to) : socket_(std::move(socket)), ipv4_(to.family == AF_INET) {}

    Status connect(const Address& to) {
        sockaddr_storage storage{};
        socklen_t size = sizeof(sockaddr_in6);
        storage.ss_family = static_cast<sa_family_t>(to.family);
        if (ipv4_) {
            std::memcpy(&reinterpret_cast<sockaddr_in*>(&storage)->sin_addr, to.bytes.data(), 4);
            size = sizeof(sockaddr_in);
        } else {
            std::memcpy(&reinterpret_cast<sockaddr_in6*>(&storage)->sin6_addr, to.bytes.data(), 16);
        }
        return ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&storage), size) == 0
                   ? Status()
                   : Status(system_error("reach", address_text(to)));
    }

    /// Microseconds until the answer; negative where none came.
    std::int64_t ask(std::uint16_t sequence) {
        const Packet packet = request(ipv4_, static_cast<std::uint16_t>(::getpid()), sequence);
        const std::int64_t start = microseconds();
        if (::send(socket_.get(), packet.data(), packet.size(), MSG_NOSIGNAL) < 0) {
            return -1;
        }
        for (std::int64_t left = kPatience; left > 0; left = start + kPatience - microseconds()) {
            pollfd waiting{socket_.get(), POLLIN, 0};
            if (::poll(&waiting, 1, static_cast<int>(left / 1000) + 1) <= 0) {
                continue;
            }
            std::array<std::uint8_t, 512> answer;
            const ssize_t count = ::recv(socket_.get(), answer.data(), answer.size(), MSG_DONTWAIT);
            if (count > 0 && is_answer(std::span(answer).first(static_cast<std::size_t>(count)), packet, ipv4_)) {
                return microseconds() - start;
            }
        }
        return -1;
    }

   private:
    Fd socket_;
    bool ipv4_;
};

}  // namespace

Result<PingResult> ping(const Address& to, unsigned count) {
    PingResult result{.to = to};
    const int protocol = to.family == AF_INET ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6};
    Fd socket(::socket(to.family, SOCK_RAW | SOCK_CLOEXEC, protocol));
    if (!socket) {
        return system_error("open a raw socket to ping", address_text(to));
    }
    Pinger pinger(std::move(socket), to);
    const Status connected = pinger.connect(to);
    for (unsigned turn = 0; turn < count; ++turn) {
        ++result.sent;
        const std::int64_t took = connected ? pinger.ask(static_cast<std::uint16_t>(turn + 1)) : -1;
        if (took >= 0) {
            result.best_microseconds = result.received == 0 ? took : std::min(result.best_microseconds, took);
            result.worst_microseconds = std::max(result.worst_microseconds, took);
            ++result.received;
        }
    }
    return result;
}

}  // namespace thole
