// System calls without the C library: nothing is written to errno, which a process that shares PID 1's memory has in
// common with it.
#pragma once

#include <array>
#include <type_traits>

namespace thole {

/// The system call of this number with six words. Returns what the kernel does: a negative errno where the call failed
/// (syscall(2)).
extern "C" long thole_raw_call(long number, const long* words);

/// A number or a pointer as one word.
template <typename T>
long call_word(T value) {
    if constexpr (std::is_pointer_v<T>) {
        return reinterpret_cast<long>(value);
    } else if constexpr (std::is_null_pointer_v<T>) {
        return 0;
    } else {
        return static_cast<long>(value);
    }
}

/// The same with up to six numbers and pointers.
template <typename... Values>
long raw_call(long number, Values... values) {
    static_assert(sizeof...(Values) <= 6);
    const std::array<long, 6> words{call_word(values)...};
    return thole_raw_call(number, words.data());
}

}  // namespace thole
