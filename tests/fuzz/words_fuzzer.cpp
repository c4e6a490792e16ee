// Values inside unit files: commands, variables, addresses; and texts that leave as JSON.
#include <string>

#include "base/listen_address.hpp"
#include "base/text.hpp"
#include "input.hpp"
#include "os/spawn_plan.hpp"
#include "supervisor/unit.hpp"

namespace {

/// Every argument in single quotes, so that splitting gives the same arguments again.
std::string quoted(const std::vector<std::string>& arguments) {
    std::string text;
    for (const std::string& argument : arguments) {
        text += '\'';
        for (const char letter : argument) {
            text += letter == '\'' ? std::string("'\\''") : std::string(1, letter);
        }
        text += "' ";
    }
    return text;
}

void check_json(std::string_view json) {
    using thole::expect;
    expect(json.size() >= 2 && json.front() == '"' && json.back() == '"');
    json = json.substr(1, json.size() - 2);
    for (std::size_t at = 0; at < json.size(); ++at) {
        expect(static_cast<unsigned char>(json[at]) >= 0x20 && json[at] != '"');
        at += json[at] == '\\' ? 1 : 0;
        expect(at < json.size());
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace thole;
    const std::string_view text = text_of(data, size);
    if (const auto arguments = split_command(text)) {
        const auto again = split_command(quoted(*arguments));
        expect(again && *again == *arguments);
    }
    (void)expand_environment(text, {"A=1", "EMPTY=", "LONGER=$A${A}"});
    (void)parse_listen_address(text);
    (void)unix_address(text);
    (void)parse_duration(text);
    (void)parse_size(text);
    check_json(json_string(text));
    return 0;
}
