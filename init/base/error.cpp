#include "base/error.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/text.hpp"

namespace thole {

Error::Error() = default;
Error::Error(std::string text, int number) : message(std::move(text)), code(number) {}
Error::Error(const Error& other) = default;
Error::Error(Error&& other) noexcept = default;
Error& Error::operator=(const Error& other) = default;
Error& Error::operator=(Error&& other) noexcept = default;
Error::~Error() = default;

std::unexpected<Error> system_error(std::string_view tried, std::string_view on, int code) {
    return std::unexpected(Error{concat("cannot ", tried, " ", on, ": ", std::strerror(code)), code});
}

std::unexpected<Error> system_error(std::string_view tried, std::string_view on) {
    return system_error(tried, on, errno);
}

std::unexpected<Error> failure(std::string message) { return std::unexpected(Error{std::move(message), 0}); }

std::unexpected<Error> with_context(std::string_view context, const Error& error) {
    return std::unexpected(Error{concat(context, ": ", error.message), error.code});
}

}  // namespace thole
