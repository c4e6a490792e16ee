#include "clock_offset.hpp"

#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "base/text.hpp"
#include "os/fd.hpp"

namespace thole::slurm {

namespace {

constexpr std::size_t kPacket = 20;  // type, code, checksum, identifier, sequence; three times
constexpr std::size_t kReceived = 12;
using Packet = std::array<std::uint8_t, kPacket>;

std::int64_t since_midnight() {
    timespec time{};
    ::clock_gettime(CLOCK_REALTIME, &time);
    return (static_cast<std::int64_t>(time.tv_sec) * 1000 + time.tv_nsec / 1'000'000) % kDay;
}

std::uint32_t number_at(std::span<const std::uint8_t> bytes, std::size_t at) {
    return std::uint32_t{bytes[at]} << 24U | std::uint32_t{bytes[at + 1]} << 16U | std::uint32_t{bytes[at + 2]} << 8U |
           bytes[at + 3];
}

/// RFC 1071.
std::uint16_t checksum(const Packet& packet) {
    std::uint32_t sum = 0;
    for (std::size_t at = 0; at < packet.size(); at += 2) {
        sum += std::uint32_t{packet[at]} << 8U | packet[at + 1];
    }
    while (sum > 0xFFFFU) {
        sum = (sum & 0xFFFFU) + (sum >> 16U);
    }
    return static_cast<std::uint16_t>(~sum);
}

Packet request(std::uint16_t identifier) {
    Packet packet{};
    packet[0] = ICMP_TIMESTAMP;
    packet[4] = static_cast<std::uint8_t>(identifier >> 8U);
    packet[5] = static_cast<std::uint8_t>(identifier);
    const std::uint16_t sum = checksum(packet);
    packet[2] = static_cast<std::uint8_t>(sum >> 8U);
    packet[3] = static_cast<std::uint8_t>(sum);
    return packet;
}

/// What stands behind the IP header, which a raw IPv4 socket gives too (raw(7)).
std::span<const std::uint8_t> behind_header(std::span<const std::uint8_t> packet) {
    const std::size_t header = packet.empty() ? 0 : (packet[0] & 0x0FU) * std::size_t{4};
    return packet.subspan(std::min(header, packet.size()));
}

/// The answer to one request, within a second.
Result<std::int64_t> ask(int socket, const std::string& name) {
    constexpr std::int64_t kPatience = 1000;
    const Packet packet = request(static_cast<std::uint16_t>(::getpid()));
    const std::int64_t sent = since_midnight();
    if (::send(socket, packet.data(), packet.size(), MSG_NOSIGNAL) < 0) {
        return system_error("ask for the time of", name);
    }
    for (std::int64_t left = kPatience; left > 0; left = kPatience - day_difference(since_midnight(), sent)) {
        pollfd waiting{socket, POLLIN, 0};
        if (::poll(&waiting, 1, static_cast<int>(left)) <= 0) {
            continue;
        }
        std::array<std::uint8_t, 512> answer{};
        const ssize_t count = ::recv(socket, answer.data(), answer.size(), MSG_DONTWAIT);
        const std::int64_t received = since_midnight();
        const auto icmp = behind_header(std::span(answer).first(static_cast<std::size_t>(std::max<ssize_t>(count, 0))));
        if (icmp.size() >= kPacket && std::equal(icmp.begin() + 4, icmp.begin() + 8, packet.begin() + 4)) {
            if (auto offset = offset_in_answer(icmp, sent, received)) {
                return offset;
            }
        }
    }
    return failure(concat(name, " does not say its time (ICMP timestamp)"));
}

}  // namespace

std::int64_t day_difference(std::int64_t later, std::int64_t earlier) {
    const std::int64_t difference = ((later - earlier) % kDay + kDay) % kDay;
    return difference > kDay / 2 ? difference - kDay : difference;
}

Result<std::int64_t> offset_in_answer(std::span<const std::uint8_t> icmp, std::int64_t sent, std::int64_t received) {
    if (icmp.size() < kPacket || icmp[0] != ICMP_TIMESTAMPREPLY) {
        return failure("is no answer to a question for the time");
    }
    const std::uint32_t there = number_at(icmp, kReceived);
    if (there >= kDay) {
        return failure("does not count the time since midnight");
    }
    const std::int64_t here = sent + day_difference(received, sent) / 2;
    return day_difference(there, here);
}

Result<std::int64_t> clock_offset(const Address& to) {
    const std::string name = address_text(to);
    const Fd socket(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP));
    if (!socket) {
        return system_error("open a raw socket to ask", name);
    }
    sockaddr_in place{};
    place.sin_family = AF_INET;
    std::copy_n(to.bytes.begin(), to.size(), reinterpret_cast<unsigned char*>(&place.sin_addr));
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&place), sizeof place) != 0) {
        return system_error("reach", name);
    }
    return ask(socket.get(), name);
}

}  // namespace thole::slurm
