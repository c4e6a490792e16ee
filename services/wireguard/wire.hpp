// Reading and writing packets: big-endian numbers in bounded memory. What does not fit, or is not there, is remembered
// and asked for once at the end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "config/address.hpp"
#include "crypto.hpp"

namespace thole::mesh {

/// What fits into one datagram of 1,280 bytes (the least that every IPv6 link carries) behind IPv6 and UDP headers.
inline constexpr std::size_t kLongestMessage = 1232;

/// Where a node's WireGuard or bootstrap port can be reached, outside the mesh.
struct Endpoint {
    Address address;
    std::uint16_t port = 0;

    friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

class Writer {
   public:
    explicit Writer(std::span<std::uint8_t> room) : room_(room) {}

    void number(std::uint64_t value, std::size_t size);
    void bytes(Bytes content);
    /// One byte of length and the text.
    void text(std::string_view content);
    /// The family in a byte and the address.
    void address(const Address& address);
    void endpoint(const Endpoint& endpoint);

    /// Overwrites a number that was written before.
    void set(std::size_t position, std::uint64_t value, std::size_t size);

    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] std::size_t left() const { return room_.size() - size_; }
    [[nodiscard]] bool overflowed() const { return overflowed_; }
    [[nodiscard]] Bytes written() const { return room_.first(size_); }

   private:
    std::span<std::uint8_t> room_;
    std::size_t size_ = 0;
    bool overflowed_ = false;
};

class Reader {
   public:
    explicit Reader(Bytes content) : rest_(content) {}

    std::uint64_t number(std::size_t size);
    Bytes bytes(std::size_t size);
    Block block();
    std::string_view text();
    Address address();
    Endpoint endpoint();

    [[nodiscard]] std::size_t left() const { return rest_.size(); }
    /// Something was read that was not there, or not what it must be.
    [[nodiscard]] bool failed() const { return failed_; }
    [[nodiscard]] bool complete() const { return !failed_ && rest_.empty(); }

   private:
    Bytes rest_;
    bool failed_ = false;
};

}  // namespace thole::mesh
