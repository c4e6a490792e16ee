// Fills a new data disk with the directories and files that the services of the image expect below /var.
#pragma once

#include <string>

#include "base/error.hpp"

namespace thole {

/// Copies what is missing below `target` from `skeleton`: directories, files and links, with mode and owner. What is
/// there already is left alone, so that a copy that a power cut interrupted is completed, and a new image can bring new
/// directories.
Status fill_from_skeleton(const std::string& skeleton, const std::string& target);

}  // namespace thole
