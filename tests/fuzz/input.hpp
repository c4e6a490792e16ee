// What all fuzzers share: their input as text, and the end that libFuzzer counts as a find.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace thole {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}

/// Ends the fuzzer where something that must always hold does not.
inline void expect(bool holds) {
    if (!holds) {
        __builtin_trap();
    }
}

}  // namespace thole
