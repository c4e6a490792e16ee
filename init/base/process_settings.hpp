// What a process is given and what is taken from it before its program runs. Plain data: units fill it, os/spawn uses
// it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace thole {

/// One of setrlimit(2)'s limits.
struct ResourceLimit {
    int resource = 0;
    std::uint64_t soft = 0;
    std::uint64_t hard = 0;
};

/// What few services use; see capabilities(7) and mount_namespaces(7).
struct Confinement {
    std::vector<std::string> groups;            // supplementary ones
    std::vector<ResourceLimit> limits;          // on top of the node's own, see os/spawn.cpp
    std::optional<std::uint64_t> capabilities;  // the bounding set; nothing = all
    std::uint64_t ambient_capabilities = 0;
    std::vector<std::string> read_only_paths;
    unsigned umask = 022;
    bool no_new_privileges = false;
    bool private_tmp = false;
};

}  // namespace thole
