// The options of systemctl(1) and what they do to a call.
#include <algorithm>

#include "base/text.hpp"
#include "control/systemctl.hpp"
#include "control/systemctl_words.hpp"

namespace thole {

namespace {

void add_list(std::vector<std::string_view>& list, std::string_view value) {
    for (const std::string_view item : split(value, ',')) {
        list.push_back(item);
    }
}

/// What an option of systemctl(1) does to the call; those that only change how things are shown are passed over.
struct Option {
    std::string_view short_form;
    std::string_view long_form;
    bool has_value = false;
    void (*apply)(SystemctlCall& call, std::string_view value) = nullptr;
};

constexpr Option kOptions[] = {
    {"-q", "--quiet", false, [](SystemctlCall& call, std::string_view) { call.quiet = true; }},
    {"-a", "--all", false, [](SystemctlCall& call, std::string_view) { call.all = true; }},
    {"-f", "--force", false, [](SystemctlCall& call, std::string_view) { call.force = true; }},
    {"", "--now", false, [](SystemctlCall& call, std::string_view) { call.now = true; }},
    {"", "--no-block", false, [](SystemctlCall& call, std::string_view) { call.wait = false; }},
    {"", "--no-legend", false, [](SystemctlCall& call, std::string_view) { call.legend = false; }},
    {"", "--legend", true, [](SystemctlCall& call, std::string_view value) { call.legend = value != "no"; }},
    {"", "--value", false, [](SystemctlCall& call, std::string_view) { call.value = true; }},
    {"", "--failed", false, [](SystemctlCall& call, std::string_view) { call.states.emplace_back("failed"); }},
    {"", "--state", true, [](SystemctlCall& call, std::string_view value) { add_list(call.states, value); }},
    {"-p", "--property", true, [](SystemctlCall& call, std::string_view value) { add_list(call.properties, value); }},
    {"-P", "", true,
     [](SystemctlCall& call, std::string_view value) {
         add_list(call.properties, value);
         call.value = true;
     }},
    {"-t", "--type", true,
     [](SystemctlCall& call, std::string_view value) {
         call.services = value.find("service") != std::string_view::npos;
     }},
    {"", "--no-pager"},
    {"", "--plain"},
    {"-l", "--full"},
    {"", "--no-ask-password"},
    {"", "--no-wall"},
    {"", "--no-reload"},
    {"", "--system"},
    {"", "--wait"},
    {"-n", "--lines", true},
    {"-o", "--output", true},
};

const Option* find_option(std::string_view word) {
    for (const Option& option : kOptions) {
        if (!word.empty() && (option.short_form == word || option.long_form == word)) {
            return &option;
        }
    }
    return nullptr;
}

/// Takes the option at `at`, and the argument behind it where that is its value.
Status take_option(SystemctlCall& call, std::span<const std::string_view> arguments, std::size_t& at) {
    const std::string_view word = arguments[at];
    const bool is_long = word.starts_with("--");
    const std::size_t length = std::min(is_long ? word.find('=') : 2, word.size());
    const Option* const option = find_option(word.substr(0, length));
    if (option == nullptr || (!option->has_value && length < word.size())) {
        return failure(concat("unrecognized option '", word, "'"));
    }
    std::string_view value = word.substr(std::min(length + (is_long ? 1 : 0), word.size()));
    if (option->has_value && length == word.size()) {
        if (++at == arguments.size()) {
            return failure(concat("option '", word, "' requires an argument"));
        }
        value = arguments[at];
    }
    if (option->apply != nullptr) {
        option->apply(call, value);
    }
    return {};
}

}  // namespace

Result<SystemctlCall> read_systemctl_words(std::span<const std::string_view> arguments) {
    SystemctlCall call;
    for (std::size_t at = 0; at < arguments.size(); ++at) {
        const std::string_view word = arguments[at];
        if (word.size() >= 2 && word[0] == '-') {
            if (auto taken = take_option(call, arguments, at); !taken) {
                return std::unexpected(taken.error());
            }
        } else if (call.verb.empty()) {
            call.verb = word;
        } else {
            call.units.push_back(without_suffix(word));
        }
    }
    call.verb = call.verb.empty() ? "list-units" : call.verb;
    return call;
}

}  // namespace thole
