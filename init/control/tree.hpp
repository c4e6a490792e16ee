// The shape of the tree of units and of the chain that decided how long the boot took. Pure: places in, places out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace thole {

inline constexpr std::size_t kNoUnit = SIZE_MAX;

struct TreeRow {
    std::size_t unit = 0;
    std::size_t parent = kNoUnit;
    std::string lines;  // what is drawn before the name
};

/// Each unit once, below the deepest of those that it needs (the first of equally deep ones), so that a unit stands
/// below all that must be there before it. Units that need one another in a circle are roots.
std::vector<TreeRow> tree_of(const std::vector<std::vector<std::size_t>>& needed);

/// From the unit that was ready last back to the first, each time by way of the one that was ready last among those it
/// waited for; the first comes first. `ready_at` is -1 for a unit that was never ready.
std::vector<std::size_t> critical_chain(const std::vector<std::vector<std::size_t>>& ordered,
                                        const std::vector<std::int64_t>& ready_at);

}  // namespace thole
