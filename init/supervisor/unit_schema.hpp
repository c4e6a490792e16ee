// The one table of unit keys: it drives parsing, error messages and the generated reference.
#pragma once

#include <span>
#include <string_view>

#include "supervisor/unit.hpp"

namespace thole {

struct UnitKey {
    /// How often a key may stand: once, on several indented lines that are joined, or any number of times.
    enum class Form : std::uint8_t { single, joined, each };

    std::string_view section;
    std::string_view key;
    Form form = Form::single;
    Status (*apply)(Unit& unit, std::string_view value, const Expander& expand) = nullptr;
    std::string_view allowed;
    std::string_view meaning;
};

std::span<const UnitKey> unit_keys();

}  // namespace thole
