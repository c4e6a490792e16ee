// The units of a node and how they depend on each other. Built once, checked, then only read.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "supervisor/unit.hpp"

namespace thole {

/// The place of a unit in the graph.
using UnitIndex = std::size_t;

struct GraphNode {
    Unit unit;
    std::vector<UnitIndex> required;    // must be ready first
    std::vector<UnitIndex> wanted;      // started along, waited for
    std::vector<UnitIndex> ordered;     // everything that comes first: required, wanted, after, and others' before
    std::vector<UnitIndex> dependents;  // those that require this one
    std::vector<UnitIndex> followers;   // those that are ordered behind this one
    std::vector<UnitIndex> conflicts;   // both ways
};

class Graph {
   public:
    /// Errors: two units of one name, a required unit that does not exist (with the nearest name), a unit that depends
    /// on itself, a cycle (with its whole path). `wants`, `after` and `before` may name units that this node does not
    /// have.
    static Result<Graph> build(std::vector<Unit> units);

    [[nodiscard]] std::span<const GraphNode> nodes() const { return nodes_; }
    [[nodiscard]] std::size_t size() const { return nodes_.size(); }
    [[nodiscard]] const GraphNode& at(UnitIndex index) const { return nodes_[index]; }

    /// The unit's place; the error names the nearest unit there is.
    [[nodiscard]] Result<UnitIndex> find(std::string_view name) const;

   private:
    std::vector<GraphNode> nodes_;
};

}  // namespace thole
