#include "supervisor/graph.hpp"

#include <algorithm>
#include <optional>

namespace thole {

namespace {

enum class Mark : std::uint8_t { unseen, open, closed };

std::optional<UnitIndex> index_of(std::span<const GraphNode> nodes, std::string_view name) {
    const auto found = std::ranges::lower_bound(nodes, name, {},
                                                [](const GraphNode& node) { return std::string_view(node.unit.name); });
    if (found == nodes.end() || found->unit.name != name) {
        return std::nullopt;
    }
    return static_cast<UnitIndex>(found - nodes.begin());
}

std::unexpected<Error> unknown_unit(std::span<const GraphNode> nodes, std::string_view name) {
    std::vector<std::string_view> names;
    for (const GraphNode& node : nodes) {
        names.push_back(node.unit.name);
    }
    const auto nearest = nearest_name(name, names);
    return failure(concat("there is no unit '", name, "'", nearest.empty() ? "" : "; did you mean '", nearest,
                          nearest.empty() ? "" : "'?"));
}

void add_once(std::vector<UnitIndex>& list, UnitIndex index) {
    if (std::ranges::find(list, index) == list.end()) {
        list.push_back(index);
    }
}

void add_order(std::vector<GraphNode>& nodes, UnitIndex first, UnitIndex second) {
    add_once(nodes[second].ordered, first);
    add_once(nodes[first].followers, second);
}

Status connect(std::vector<GraphNode>& nodes, UnitIndex self) {
    const Unit& unit = nodes[self].unit;
    for (const auto& name : unit.required) {
        const auto other = index_of(nodes, name);
        if (!other || nodes[*other].unit.leaving) {
            return with_context(concat("unit '", unit.name, "' requires '", name, "'"),
                                unknown_unit(nodes, name).error());
        }
        add_once(nodes[self].required, *other);
        add_once(nodes[*other].dependents, self);
        add_order(nodes, *other, self);
    }
    for (const auto& name : unit.wanted) {
        if (const auto other = index_of(nodes, name)) {
            add_once(nodes[self].wanted, *other);
            add_order(nodes, *other, self);
        }
    }
    for (const auto& name : unit.after) {
        if (const auto other = index_of(nodes, name)) {
            add_order(nodes, *other, self);
        }
    }
    for (const auto& name : unit.conflicts) {
        if (name == unit.name) {
            return failure(concat("unit '", name, "' conflicts with itself"));
        }
        if (const auto other = index_of(nodes, name)) {
            add_once(nodes[self].conflicts, *other);
            add_once(nodes[*other].conflicts, self);
        }
    }
    for (const auto& name : unit.before) {
        if (const auto other = index_of(nodes, name)) {
            add_order(nodes, self, *other);
        }
    }
    return {};
}

std::string cycle_text(std::span<const GraphNode> nodes, std::span<const UnitIndex> path, UnitIndex again) {
    std::string text;
    for (auto at = std::ranges::find(path, again); at != path.end(); ++at) {
        text += concat(nodes[*at].unit.name, " -> ");
    }
    return text + nodes[again].unit.name;
}

Status check_conflicts(std::span<const GraphNode> nodes) {
    for (const GraphNode& node : nodes) {
        for (const UnitIndex other : node.conflicts) {
            if (std::ranges::find(node.required, other) != node.required.end()) {
                return failure(concat("unit '", node.unit.name, "' requires '", nodes[other].unit.name,
                                      "' and conflicts with it"));
            }
        }
    }
    return {};
}

/// Depth-first search with a stack of its own: a thousand units in a row must not exhaust PID 1's stack.
Status check_cycles(std::span<const GraphNode> nodes) {
    std::vector<Mark> marks(nodes.size(), Mark::unseen);
    for (UnitIndex start = 0; start < nodes.size(); ++start) {
        std::vector<UnitIndex> path;
        std::vector<std::size_t> next;
        const auto enter = [&](UnitIndex index) {
            marks[index] = Mark::open;
            path.push_back(index);
            next.push_back(0);
        };
        if (marks[start] == Mark::unseen) {
            enter(start);
        }
        while (!path.empty()) {
            const auto& edges = nodes[path.back()].ordered;
            if (next.back() == edges.size()) {
                marks[path.back()] = Mark::closed;
                path.pop_back();
                next.pop_back();
                continue;
            }
            const UnitIndex other = edges[next.back()++];
            if (marks[other] == Mark::open) {
                return failure(concat("units wait for each other in a circle: ", cycle_text(nodes, path, other),
                                      "; take one of these dependencies away"));
            }
            if (marks[other] == Mark::unseen) {
                enter(other);
            }
        }
    }
    return {};
}

}  // namespace

Result<Graph> Graph::build(std::vector<Unit> units) {
    std::vector<std::string_view> names;
    names.reserve(units.size());
    for (const Unit& unit : units) {
        names.push_back(unit.name);
    }
    Graph graph;
    graph.nodes_.reserve(units.size());  // growing in steps would leave PID 1 as much again, for ever
    for (const std::size_t position : order_of(names)) {
        Unit& unit = units[position];
        if (!graph.nodes_.empty() && graph.nodes_.back().unit.name == unit.name) {
            return failure(concat("there are two units called '", unit.name, "'"));
        }
        graph.nodes_.push_back({std::move(unit), {}, {}, {}, {}, {}, {}});
    }
    for (UnitIndex index = 0; index < graph.nodes_.size(); ++index) {
        if (auto connected = connect(graph.nodes_, index); !connected) {
            return std::unexpected(connected.error());
        }
    }
    if (auto checked = check_cycles(graph.nodes_); !checked) {
        return std::unexpected(checked.error());
    }
    if (auto checked = check_conflicts(graph.nodes_); !checked) {
        return std::unexpected(checked.error());
    }
    for (GraphNode& node : graph.nodes_) {
        node.unit.forget_names();
    }
    return graph;
}

Result<UnitIndex> Graph::find(std::string_view name) const {
    if (const auto index = index_of(nodes_, name)) {
        return *index;
    }
    return unknown_unit(nodes_, name);
}

}  // namespace thole
