// Copies a tree of files with modes and owners: the skeleton of /var, and the root file system into memory.
#pragma once

#include <string>

#include "base/error.hpp"

namespace thole {

/// Copies what is missing in the directory `to` from the directory `from`: directories, files, links and device files,
/// with mode and owner. What is there already is left alone, and each file appears complete or not at all, so that a
/// copy that a power cut interrupted is completed by the next. A directory on which something is mounted is made, and
/// stays empty.
Status copy_tree(const std::string& from, const std::string& to);

}  // namespace thole
