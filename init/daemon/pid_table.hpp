// Which unit a child of PID 1 belongs to: looked up for every process that ends, orphans by the thousand among them.
#pragma once

#include <sys/types.h>

#include <optional>
#include <span>
#include <vector>

#include "supervisor/graph.hpp"

namespace thole {

class PidTable {
   public:
    void add(pid_t pid, UnitIndex index);
    void remove(pid_t pid);
    [[nodiscard]] std::optional<UnitIndex> find(pid_t pid) const;

    /// Units have other places now; `places[old]` is none for one that is gone.
    void reindex(std::span<const std::optional<UnitIndex>> places);

   private:
    struct Entry {
        pid_t pid;
        UnitIndex index;
    };

    std::vector<Entry> entries_;  // by pid, ascending
};

}  // namespace thole
