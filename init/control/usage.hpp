// The arguments of a command, read by its usage line: what the line says is what is accepted.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace thole {

using Arguments = std::span<const std::string_view>;

/// One call of a command. Texts belong to the caller's arguments and usage line.
struct Call {
    struct Given {
        std::string_view option;  // as the usage line has it first: "-f" for "[-f|--follow]"
        std::string_view value;
    };

    std::string_view verb;
    Arguments arguments;                  // all, as they came
    std::vector<Given> options;           // the last one of a name counts
    std::vector<std::string_view> names;  // what is no option

    [[nodiscard]] bool has(std::string_view option) const { return find(option) != nullptr; }
    /// Empty where the option was not given.
    [[nodiscard]] std::string_view value(std::string_view option) const;

   private:
    [[nodiscard]] const Given* find(std::string_view option) const;
};

/// An option of a usage line.
struct OptionWords {
    std::vector<std::string_view> spellings;
    std::string_view value;  // "COUNT" in "[-n|--lines COUNT]"; empty where it takes none
};

/// The options of a usage line such as "[--json] [-n|--lines COUNT] NAME...". Options stand in brackets; capital words
/// are for what the person puts in.
std::vector<OptionWords> options_of(std::string_view usage);

/// Errors: an option that the line does not have (with the nearest), one without its value, and too few or too many
/// names.
Result<Call> read_call(std::string_view verb, std::string_view usage, Arguments arguments);

}  // namespace thole
