// The one table of unit keys: it drives parsing, error messages and the generated reference.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "supervisor/unit.hpp"

namespace thole {

/// A word and what it stands for.
struct Choice {
    std::string_view name;
    int value;
};

struct UnitKey {
    /// How often a key may stand: once, on several indented lines that are joined, or any number of times.
    enum class Form : std::uint8_t { single, joined, each };

    /// How the value is read, and by that which member of `store` is used.
    enum class Kind : std::uint8_t {
        text,         // as it is                                         -> text
        path,         // absolute                                         -> text
        expanded,     // with the node's configuration put in             -> text
        words,        // separated by white space                         -> list
        path_list,    // absolute ones, separated by white space          -> list
        arguments,    // a command line                                   -> list
        one_path,     // absolute, one an occurrence                      -> list
        duration,     // milliseconds                                     -> number
        size,         // bytes                                            -> number
        number,       // from `least` to `most`                           -> number
        boolean,      // yes or no                                        -> number
        choice,       // one of `choices`                                 -> number
        cgroup_size,  // into the cgroup file of the key's name; `max` too
        cgroup_number,
        cgroup_text,
        special,  // by a function of its own                         -> special
    };

    union Store {
        void (*number)(Unit& unit, std::int64_t value);
        std::string& (*text)(Unit& unit);
        std::vector<std::string>& (*list)(Unit& unit);
        Status (*special)(Unit& unit, std::string_view value, const Expander& expand);
    };

    std::string_view section;
    std::string_view key;
    Form form = Form::single;
    Kind kind = Kind::text;
    Store store{.number = nullptr};
    int least = 0;
    int most = 0;
    std::span<const Choice> choices = {};
    std::string_view allowed = {};  // empty: said by kind, least, most and choices
    std::string_view meaning = {};
};

/// All keys: those of [unit], of [service], and of what is around a service (cgroup, log, timer, socket).
std::array<std::span<const UnitKey>, 3> unit_keys();

/// Those of [service], which unit_keys() has as well.
std::span<const UnitKey> service_unit_keys();

/// Reads one value into the unit.
Status apply_key(const UnitKey& row, Unit& unit, std::string_view value, const Expander& expand);

/// What the key takes, for the reference page.
std::string allowed_text(const UnitKey& row);

}  // namespace thole
