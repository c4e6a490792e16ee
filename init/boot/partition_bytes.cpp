#include "boot/partition_bytes.hpp"

#include <array>

#include "boot/partition_table.hpp"

namespace thole::gpt {

namespace {

unsigned digit(char letter) {
    const int value = letter <= '9' ? letter - '0' : (letter | 0x20) - 'a' + 10;
    return static_cast<unsigned>(value) & 15U;
}

}  // namespace

std::uint64_t number_at(std::string_view bytes, std::size_t at, std::size_t size) {
    std::uint64_t value = 0;
    for (std::size_t index = size; index > 0; --index) {
        value = (value << 8U) | static_cast<unsigned char>(bytes[at + index - 1]);
    }
    return value;
}

void put(std::string& bytes, std::size_t at, std::size_t size, std::uint64_t value) {
    for (std::size_t index = 0; index < size; ++index) {
        bytes[at + index] = static_cast<char>((value >> (8 * index)) & 0xFFU);
    }
}

void seal_header(std::string& header, std::string_view table) {
    put(header, kTableChecksum, 4, crc32(table));
    put(header, kHeaderChecksum, 4, 0);
    put(header, kHeaderChecksum, 4, crc32(std::string_view(header).substr(0, kHeaderSize)));
}

std::string backup_of(const std::string& header, const std::string& table, std::uint64_t last) {
    std::string second = header;
    put(second, kHere, 8, last);
    put(second, kOther, 8, 1);
    put(second, kTableAt, 8, last - kTableSectors);
    seal_header(second, table);
    return table + second;
}

std::string guid_bytes(std::string_view text) {
    constexpr std::array<std::uint8_t, 16> kOrder{3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
    std::string plain;
    for (const char letter : text) {
        if (letter != '-') {
            plain += letter;
        }
    }
    plain.resize(2 * kOrder.size(), '0');
    std::string bytes;
    for (const std::size_t at : kOrder) {
        bytes += static_cast<char>((digit(plain[2 * at]) << 4U) | digit(plain[2 * at + 1]));
    }
    return bytes;
}

}  // namespace thole::gpt
