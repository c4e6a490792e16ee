// Units as they are written, for commands that show or change them; none of this needs PID 1.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/units.hpp"

namespace thole {

struct Definition {
    std::vector<std::string> files;  // the unit's own, then its drop-ins in the order in which they count
    std::vector<EffectiveKey> keys;

    /// The values of a key, one behind the other; empty where it is not set.
    [[nodiscard]] std::string value(std::string_view section, std::string_view key) const;
};

/// `passed_over` is the path of a drop-in that is not to count. Errors: there is no such unit (code ENOENT), or one of
/// its files is wrong.
Result<Definition> read_definition(const UnitFiles& files, std::string_view name, std::string_view passed_over = {});

/// The same in the node's own directories.
Result<Definition> read_definition(std::string_view name, std::string_view passed_over = {});

/// For each unit the places of others among `names`.
struct Needs {
    std::vector<std::vector<std::size_t>> needed;   // those that it requires and wants
    std::vector<std::vector<std::size_t>> ordered;  // those, and what it names after `after`
};

/// A unit whose files cannot be read needs none.
Needs read_needs(const std::vector<std::string_view>& names,
                 std::span<const std::string_view> directories = kUnitDirectories);

}  // namespace thole
