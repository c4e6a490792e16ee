#include "base/listen_address.hpp"

#include "base/text.hpp"

namespace thole {

Result<ListenAddress> parse_listen_address(std::string_view text) {
    const auto colon = text.find(':');
    const auto kind = text.substr(0, colon);
    const auto rest = colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
    ListenAddress result;
    const bool is_unix = kind == "unix" || kind == "unix-datagram";
    if (!is_unix && kind != "tcp" && kind != "udp") {
        return failure(concat("'", text, "' does not begin with tcp:, udp:, unix: or unix-datagram:"));
    }
    if (is_unix && !rest.starts_with('/')) {
        return failure(concat("'", rest, "' is not an absolute path"));
    }
    const auto address = is_unix ? unix_address(rest) : parse_internet_address(rest);
    if (!address) {
        return std::unexpected(address.error());
    }
    result.address = *address;
    result.type = kind == "tcp" || kind == "unix" ? SOCK_STREAM : SOCK_DGRAM;
    result.path = is_unix ? rest : "";
    return result;
}

}  // namespace thole
