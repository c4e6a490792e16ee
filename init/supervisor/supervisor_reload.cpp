// A new graph in place of the old one, and what of it is to be started, restarted or stopped.
#include <algorithm>
#include <utility>

#include "supervisor/supervisor.hpp"

namespace thole {

Result<std::vector<ReloadChange>> Supervisor::reload(std::vector<Unit> units) {
    if (shutting_down_) {
        return failure("the node is shutting down: its units are not read any more");
    }
    std::vector<std::string_view> names;
    for (const Unit& unit : units) {
        names.push_back(unit.name);
    }
    std::vector<Unit> leaving;
    for (UnitIndex index = 0; index < graph_.size(); ++index) {
        const Unit& unit = graph_.at(index).unit;
        const bool gone = std::ranges::find(names, std::string_view(unit.name)) == names.end();
        if (gone && !at_rest(services_[index].state)) {
            leaving.push_back(unit.remainder());
        }
    }
    for (Unit& unit : leaving) {
        units.push_back(std::move(unit));
    }
    auto next = Graph::build(std::move(units));
    if (!next) {
        return std::unexpected(next.error());
    }
    return replace_graph(std::move(*next));
}

std::vector<ReloadChange> Supervisor::replace_graph(Graph next) {
    const Graph old = std::exchange(graph_, std::move(next));
    std::vector<Service> former_services = std::exchange(services_, std::vector<Service>(graph_.size()));
    std::vector<std::optional<UnitIndex>> former(graph_.size());
    std::vector<ReloadChange> changes;
    std::vector<UnitIndex> to_restart;
    std::vector<UnitIndex> to_start;
    for (UnitIndex index = 0; index < graph_.size(); ++index) {
        const Unit& unit = graph_.at(index).unit;
        const auto before = old.find(unit.name);
        if (!before) {
            changes.push_back({ReloadChange::Kind::added, unit.name});
            to_start.push_back(index);
            continue;
        }
        former[index] = *before;
        services_[index] = std::move(former_services[*before]);
        services_[index].held_by.reset();  // an index of the old graph
        if (unit.leaving) {
            services_[index].wanted = false;
            services_[index].restart_asked = false;
        } else if (unit.fingerprint != old.at(*before).unit.fingerprint) {
            changes.push_back({ReloadChange::Kind::changed, unit.name});
            to_restart.push_back(index);
        }
    }
    for (const GraphNode& node : old.nodes()) {
        if (node.unit.leaving) {
            continue;  // said by the reload that removed it
        }
        if (const auto now = graph_.find(node.unit.name); !now || graph_.at(*now).unit.leaving) {
            changes.push_back({ReloadChange::Kind::removed, node.unit.name});
        }
    }
    platform_.reindexed(former);
    soonest_known_ = false;
    queue_.clear();
    for (UnitIndex index = 0; index < services_.size(); ++index) {
        services_[index].queued = false;
        queue(index);
    }
    apply_changes(to_restart, to_start);
    return changes;
}

void Supervisor::apply_changes(std::span<const UnitIndex> to_restart, std::span<const UnitIndex> to_start) {
    for (const UnitIndex index : to_restart) {
        if (services_[index].wanted) {
            services_[index].wanted = false;
            services_[index].restart_asked = true;
            touch(index);
            // A service that waits for its timer waits again; what runs is started again.
            services_[index].activated = services_[index].activated || !at_rest(services_[index].state);
        }
    }
    for (UnitIndex index = 0; index < services_.size(); ++index) {
        give_way(index);
    }
    for (const UnitIndex index : to_start) {
        if (graph_.at(index).unit.enabled && !has_rival(index)) {
            want(index);
        }
    }
    settle();
}

/// Of two that run and have come into conflict, the later by name stops.
void Supervisor::give_way(UnitIndex index) {
    for (const UnitIndex other : graph_.at(index).conflicts) {
        if (other < index && services_[other].wanted && services_[index].wanted) {
            services_[index].reason = concat("it conflicts with ", graph_.at(other).unit.name);
            give_up(index);
        }
    }
}

/// Whether a unit that conflicts with this one is wanted; the reason then says so.
bool Supervisor::has_rival(UnitIndex index) {
    for (const UnitIndex other : graph_.at(index).conflicts) {
        if (services_[other].wanted) {
            services_[index].reason = concat("it conflicts with ", graph_.at(other).unit.name);
            return true;
        }
    }
    return false;
}

}  // namespace thole
