// /var: the data disk, found, made on first boot, checked and mounted; in memory where there is no disk.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"
#include "os/console.hpp"

namespace thole {

/// As node.ini has it.
struct DataEncryption {
    bool wanted = false;
    std::string_view key = {};  // of `node.data-key`; may be missing
};

/// Mounts the data disk at `target`. An error means that the node must stop; nothing on any disk was changed then,
/// unless the message says otherwise.
Status mount_data_disk(Console& console, const std::string& target, const DataEncryption& encryption);

/// `/var` in memory, without a look at any disk.
Status mount_data_in_memory(Console& console, const std::string& target);

}  // namespace thole
