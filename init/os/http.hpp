// Files by HTTP, for what comes with a sum or a signature of its own: nothing here says who sent them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/text.hpp"

namespace thole {

struct Url {
    std::string host;  // a name or an address
    std::string port = "80";
    std::string path = "/";
};

/// http://HOST[:PORT]/PATH; an IPv6 address in brackets. An error says what is wrong, for https that it is not spoken.
Result<Url> parse_url(std::string_view text);

/// Takes the next bytes of a file.
using Sink = std::function<Status(std::string_view bytes)>;

/// Fetches a file (RFC 9110 by HTTP/1.0, RFC 1945: one connection, no chunks). `patience` is for each step, not for the
/// whole. Errors: an answer other than 200, one that is cut short, one of more than `limit` bytes.
Status http_get(const Url& url, std::uint64_t limit, Milliseconds patience, const Sink& sink);

}  // namespace thole
