// What PID 1 says to the logger over their SOCK_SEQPACKET pair: one fixed-size message each, a pipe's read end with
// `add`.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

namespace thole {

struct LogMessage {
    enum class Kind : std::uint32_t { add = 1, show_tail = 2 };

    Kind kind = Kind::add;
    std::int32_t count = 0;
    std::int64_t size = 0;
    std::array<char, 80> name{};  // ends with NUL
};

inline LogMessage make_log_message(LogMessage::Kind kind, std::string_view name) {
    LogMessage message;
    message.kind = kind;
    std::ranges::copy(name.substr(0, message.name.size() - 1), message.name.begin());
    return message;
}

}  // namespace thole
