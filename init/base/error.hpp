// Errors are values: what was tried, on what, why it failed and, where known, what to do.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace thole {

struct Error {
    std::string message;
    int code = 0;  // errno where a system call failed, else 0

    // Not inline: every Result that is handed on or dropped would repeat them.
    Error();
    Error(std::string text, int number);
    Error(const Error& other);
    Error(Error&& other) noexcept;
    Error& operator=(const Error& other);
    Error& operator=(Error&& other) noexcept;
    ~Error();
};

template <typename T>
using Result = std::expected<T, Error>;
using Status = std::expected<void, Error>;

/// An error of a system call: "cannot TRIED ON: strerror(code)". `code` is an errno value.
std::unexpected<Error> system_error(std::string_view tried, std::string_view on, int code);

/// The same with the current errno. Call it directly after the failed system call.
std::unexpected<Error> system_error(std::string_view tried, std::string_view on);

/// An error that is not a system call's.
std::unexpected<Error> failure(std::string message);

/// The same error with "CONTEXT: " in front of it.
std::unexpected<Error> with_context(std::string_view context, const Error& error);

}  // namespace thole
