#include "wire.hpp"

#include <algorithm>

namespace thole::mesh {

void Writer::number(std::uint64_t value, std::size_t size) {
    if (size > left()) {
        overflowed_ = true;
        return;
    }
    size_ += size;
    set(size_ - size, value, size);
}

void Writer::set(std::size_t position, std::uint64_t value, std::size_t size) {
    for (std::size_t index = size; index-- > 0; value >>= 8U) {
        room_[position + index] = static_cast<std::uint8_t>(value & 0xFFU);
    }
}

void Writer::bytes(Bytes content) {
    if (content.size() > left()) {
        overflowed_ = true;
        return;
    }
    std::ranges::copy(content, room_.begin() + static_cast<std::ptrdiff_t>(size_));
    size_ += content.size();
}

void Writer::text(std::string_view content) {
    number(content.size(), 1);
    bytes({reinterpret_cast<const std::uint8_t*>(content.data()), content.size()});
}

void Writer::address(const Address& address) {
    number(address.family == AF_INET ? 4 : 6, 1);
    bytes(Bytes(address.bytes).first(address.size()));
}

void Writer::endpoint(const Endpoint& endpoint) {
    address(endpoint.address);
    number(endpoint.port, 2);
}

std::uint64_t Reader::number(std::size_t size) {
    std::uint64_t value = 0;
    for (const std::uint8_t byte : bytes(size)) {
        value = value << 8U | byte;
    }
    return value;
}

Bytes Reader::bytes(std::size_t size) {
    if (failed_ || size > rest_.size()) {
        failed_ = true;
        return {};
    }
    const Bytes taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
}

Block Reader::block() {
    Block block{};
    std::ranges::copy(bytes(block.size()), block.begin());
    return block;
}

std::string_view Reader::text() {
    const Bytes content = bytes(static_cast<std::size_t>(number(1)));
    return {reinterpret_cast<const char*>(content.data()), content.size()};
}

Address Reader::address() {
    const std::uint64_t version = number(1);
    failed_ = failed_ || (version != 4 && version != 6);
    Address address;
    address.family = version == 4 ? AF_INET : AF_INET6;
    std::ranges::copy(bytes(address.size()), address.bytes.begin());
    return address;
}

Endpoint Reader::endpoint() {
    Endpoint endpoint;
    endpoint.address = address();
    endpoint.port = static_cast<std::uint16_t>(number(2));
    failed_ = failed_ || endpoint.port == 0 || !unusable_reason(endpoint.address).empty();
    return endpoint;
}

}  // namespace thole::mesh
