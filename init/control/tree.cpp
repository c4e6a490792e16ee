#include "control/tree.hpp"

#include <algorithm>

namespace thole {

namespace {

/// How many units stand above each one; more than there are units where it hangs on a circle.
std::vector<std::size_t> depths_of(const std::vector<std::vector<std::size_t>>& needed) {
    std::vector<std::size_t> depths(needed.size(), 0);
    bool changed = true;
    for (std::size_t round = 0; changed && round <= needed.size(); ++round) {
        changed = false;
        for (std::size_t unit = 0; unit < needed.size(); ++unit) {
            for (const std::size_t other : needed[unit]) {
                if (depths[unit] <= depths[other] && depths[other] <= needed.size()) {
                    depths[unit] = depths[other] + 1;
                    changed = true;
                }
            }
        }
    }
    return depths;
}

std::size_t parent_of(const std::vector<std::size_t>& needed, const std::vector<std::size_t>& depths) {
    std::size_t parent = kNoUnit;
    for (const std::size_t other : needed) {
        if (parent == kNoUnit || depths[other] > depths[parent]) {
            parent = other;
        }
    }
    return parent;
}

class Drawing {
   public:
    explicit Drawing(std::vector<std::size_t> parents) : parents_(std::move(parents)), children_(parents_.size()) {
        for (std::size_t unit = 0; unit < parents_.size(); ++unit) {
            if (parents_[unit] != kNoUnit) {
                children_[parents_[unit]].push_back(unit);
            }
        }
    }

    std::vector<TreeRow> draw() {
        for (std::size_t unit = 0; unit < parents_.size(); ++unit) {
            if (parents_[unit] == kNoUnit) {
                rows_.push_back({unit, kNoUnit, ""});
                add_children(unit, "");
            }
        }
        return std::move(rows_);
    }

   private:
    void add_children(std::size_t unit, const std::string& lines) {
        for (const std::size_t child : children_[unit]) {
            const bool last = child == children_[unit].back();
            rows_.push_back({child, unit, lines + (last ? "└ " : "├ ")});
            add_children(child, lines + (last ? "  " : "│ "));
        }
    }

    std::vector<std::size_t> parents_;
    std::vector<std::vector<std::size_t>> children_;
    std::vector<TreeRow> rows_;
};

}  // namespace

std::vector<TreeRow> tree_of(const std::vector<std::vector<std::size_t>>& needed) {
    const auto depths = depths_of(needed);
    std::vector<std::size_t> parents;
    for (std::size_t unit = 0; unit < needed.size(); ++unit) {
        const bool in_circle = depths[unit] >= needed.size();
        parents.push_back(in_circle ? kNoUnit : parent_of(needed[unit], depths));
    }
    return Drawing(std::move(parents)).draw();
}

std::vector<std::size_t> critical_chain(const std::vector<std::vector<std::size_t>>& ordered,
                                        const std::vector<std::int64_t>& ready_at) {
    std::vector<std::size_t> chain;
    const auto last = std::ranges::max_element(ready_at);
    if (last == ready_at.end() || *last < 0) {
        return chain;
    }
    auto unit = static_cast<std::size_t>(last - ready_at.begin());
    while (unit != kNoUnit) {
        chain.insert(chain.begin(), unit);
        std::size_t before = kNoUnit;
        for (const std::size_t other : ordered[unit]) {
            // Earlier only: a unit that was ready later did not hold this one up, and a circle ends.
            const bool held = ready_at[other] >= 0 && ready_at[other] < ready_at[unit];
            if (held && (before == kNoUnit || ready_at[other] > ready_at[before])) {
                before = other;
            }
        }
        unit = before;
    }
    return chain;
}

}  // namespace thole
