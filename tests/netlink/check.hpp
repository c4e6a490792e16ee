// What the checks against a running kernel share: each says what it saw, and the first that fails ends the program.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/error.hpp"

namespace thole {

inline void fail(const std::string& what, const std::string& why) {
    std::printf("FAILED %s: %s\n", what.c_str(), why.c_str());
    std::exit(EXIT_FAILURE);
}

inline void check(bool holds, const std::string& what) {
    if (!holds) {
        fail(what, "it is not so");
    }
    std::printf("ok     %s\n", what.c_str());
}

inline void check(const Status& status, const std::string& what) {
    if (!status) {
        fail(what, status.error().message);
    }
    std::printf("ok     %s\n", what.c_str());
}

/// The value, or the program's end.
template <typename T>
T need(Result<T> result, const std::string& what) {
    if (!result) {
        fail(what, result.error().message);
    }
    return std::move(*result);
}

/// An error must come, with these words in it.
template <typename T>
void check_refused(const Result<T>& result, const std::string& words, const std::string& what) {
    if (result) {
        fail(what, "the kernel did it");
    }
    if (result.error().message.find(words) == std::string::npos) {
        fail(what, "the error is: " + result.error().message);
    }
    std::printf("ok     %s: %s\n", what.c_str(), result.error().message.c_str());
}

void check_links();

/// False where this kernel has no WireGuard.
bool check_wireguard();

}  // namespace thole
