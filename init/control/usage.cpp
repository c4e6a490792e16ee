#include "control/usage.hpp"

#include "base/text.hpp"

namespace thole {

namespace {

/// How many names a usage line asks for and allows.
struct Names {
    std::string_view first;  // "NAME"
    std::size_t least = 0;
    std::size_t most = 0;
};

Names names_of(std::string_view usage) {
    Names names;
    bool is_value = false;
    for (std::string_view word : split_words(usage)) {
        const bool optional = word.starts_with('[');
        word.remove_prefix(optional ? 1 : 0);
        const bool is_option = word.starts_with('-');
        if (!is_option && !is_value) {
            const auto bare = word.substr(0, word.find_first_of(".]"));
            names.first = names.first.empty() ? bare : names.first;
            names.least += optional ? 0 : 1;
            names.most = word.find("...") != std::string_view::npos ? SIZE_MAX : names.most + 1;
        }
        is_value = is_option && !word.ends_with(']');
    }
    return names;
}

const OptionWords* find_option(const std::vector<OptionWords>& options, std::string_view word) {
    for (const OptionWords& option : options) {
        for (const std::string_view spelling : option.spellings) {
            if (spelling == word) {
                return &option;
            }
        }
    }
    return nullptr;
}

std::unexpected<Error> unknown_option(const std::vector<OptionWords>& options, std::string_view word) {
    std::vector<std::string_view> all;
    for (const OptionWords& option : options) {
        all.insert(all.end(), option.spellings.begin(), option.spellings.end());
    }
    const auto nearest = nearest_name(word, all);
    return failure(concat("unknown option '", word, "'", nearest.empty() ? "" : "; did you mean '", nearest,
                          nearest.empty() ? "" : "'?"));
}

}  // namespace

const Call::Given* Call::find(std::string_view option) const {
    for (std::size_t at = options.size(); at-- > 0;) {
        if (options[at].option == option) {
            return &options[at];
        }
    }
    return nullptr;
}

std::string_view Call::value(std::string_view option) const {
    const Given* const given = find(option);
    return given == nullptr ? std::string_view() : given->value;
}

std::vector<OptionWords> options_of(std::string_view usage) {
    std::vector<OptionWords> options;
    bool is_value = false;
    for (const std::string_view word : split_words(usage)) {
        const bool last = word.ends_with(']');
        const std::string_view bare = word.substr(0, word.size() - (last ? 1 : 0));
        if (word.starts_with("[-")) {
            options.push_back({split(bare.substr(1), '|'), {}});
            is_value = !last;
        } else if (is_value) {
            options.back().value = bare;
            is_value = false;
        }
    }
    return options;
}

Result<Call> read_call(std::string_view verb, std::string_view usage, Arguments arguments) {
    const auto options = options_of(usage);
    const Names allowed = names_of(usage);
    Call call;
    call.verb = verb;
    call.arguments = arguments;
    bool only_names = false;
    for (std::size_t at = 0; at < arguments.size(); ++at) {
        const std::string_view word = arguments[at];
        if (only_names || word.size() < 2 || word[0] != '-') {
            call.names.push_back(word);
            continue;
        }
        if (word == "--") {
            only_names = true;
            continue;
        }
        const std::size_t equals = word.starts_with("--") ? word.find('=') : std::string_view::npos;
        const OptionWords* const option = find_option(options, word.substr(0, equals));
        if (option == nullptr) {
            return unknown_option(options, word.substr(0, equals));
        }
        Call::Given given{option->spellings[0], {}};
        if (equals != std::string_view::npos && option->value.empty()) {
            return failure(concat("'", word.substr(0, equals), "' takes no value"));
        }
        if (equals != std::string_view::npos) {
            given.value = word.substr(equals + 1);
        } else if (!option->value.empty()) {
            if (++at == arguments.size()) {
                return failure(concat("'", word, "' needs a value: ", option->value));
            }
            given.value = arguments[at];
        }
        call.options.push_back(given);
    }
    if (call.names.size() < allowed.least) {
        return failure(concat(allowed.first, " is missing"));
    }
    if (call.names.size() > allowed.most) {
        return failure(concat("'", call.names[allowed.most], "' is one word too many"));
    }
    return call;
}

}  // namespace thole
