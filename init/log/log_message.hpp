// What PID 1 says to the logger over their SOCK_SEQPACKET pair: one fixed-size message each, a pipe's read end with
// `add`.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "log/log_batch.hpp"

namespace thole {

struct LogMessage {
    enum class Kind : std::uint32_t {
        add = 1,
        show_tail = 2,
        change = 3,  // other figures
        remove = 4   // read on for as long as somebody writes
    };

    Kind kind = Kind::add;
    std::int32_t count = 0;
    std::int64_t size = 0;
    std::array<char, kLogName> name{};  // ends with NUL
};

inline void put_name(std::array<char, kLogName>& to, std::string_view name) {
    std::ranges::copy(name.substr(0, to.size() - 1), to.begin());
}

}  // namespace thole
