#include "log/forward_format.hpp"

#include "base/text.hpp"

namespace thole {

namespace {

/// Printable ASCII without spaces, at most `longest` bytes; "-" where nothing is left.
std::string field(std::string_view text, std::size_t longest) {
    std::string out;
    for (const char letter : text.substr(0, longest)) {
        out += letter > ' ' && letter < '\x7f' ? letter : '_';
    }
    return out.empty() ? "-" : out;
}

}  // namespace

std::string syslog_message(const ForwardLine& line) {
    constexpr std::size_t kHost = 255;
    constexpr std::size_t kApplication = 48;
    return concat("<", line.priority, ">1 ", time_text(line.time.wall), " ", field(line.host, kHost), " ",
                  field(line.log, kApplication), " - - - ", line.text);
}

std::string json_message(const ForwardLine& line) {
    return concat("{\"time\": \"", time_text(line.time.wall), "\", \"boot_ms\": ", line.time.boot,
                  ", \"host\": ", json_string(line.host), ", \"log\": ", json_string(line.log),
                  ", \"priority\": ", line.priority, ", \"text\": ", json_string(line.text), "}");
}

}  // namespace thole
