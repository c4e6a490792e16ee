// System calls without the C library: nothing is written to errno, which a process that shares PID 1's memory has in
// common with it. The return value is the kernel's: a negative errno where the call failed (syscall(2)).
#pragma once

#include <type_traits>

namespace thole {

/// The system call of this number with six words.
inline long raw_call_words(long number, long a, long b, long c, long d, long e, long f) {
#if defined(__x86_64__)
    long result = number;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "+a"(result)
                     : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
#else
#error "thole runs on x86_64 and aarch64"
#endif
}

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

/// The system call of this number with up to six numbers and pointers.
template <typename... Values>
long raw_call(long number, Values... values) {
    static_assert(sizeof...(Values) <= 6);
    const long words[6]{call_word(values)...};
    return raw_call_words(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}

}  // namespace thole
