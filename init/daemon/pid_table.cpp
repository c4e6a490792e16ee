#include "daemon/pid_table.hpp"

#include <algorithm>

namespace thole {

void PidTable::add(pid_t pid, UnitIndex index) {
    entries_.insert(std::ranges::lower_bound(entries_, pid, {}, &Entry::pid), {pid, index});
}

void PidTable::remove(pid_t pid) {
    const auto found = std::ranges::lower_bound(entries_, pid, {}, &Entry::pid);
    if (found != entries_.end() && found->pid == pid) {
        entries_.erase(found);
    }
}

std::optional<UnitIndex> PidTable::find(pid_t pid) const {
    const auto found = std::ranges::lower_bound(entries_, pid, {}, &Entry::pid);
    return found != entries_.end() && found->pid == pid ? std::optional(found->index) : std::nullopt;
}

void PidTable::reindex(std::span<const std::optional<UnitIndex>> places) {
    std::vector<Entry> kept;
    for (const Entry& entry : entries_) {
        if (const auto place = places[entry.index]) {
            kept.push_back({entry.pid, *place});
        }
    }
    entries_ = std::move(kept);
}

}  // namespace thole
