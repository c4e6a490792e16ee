// The services' own files, made at boot from templates with the node's values in them.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"
#include "config/node_config.hpp"

namespace thole {

/// expand() for each line. A line with ${section.key[]} is written once for each item of that list, with the item in
/// its place; for an empty value not at all. Errors begin with "FILE:LINE: ".
Result<std::string> render_text(std::string_view file, std::string_view text, const NodeConfig& config);

/// Renders every file below `templates` to the same path below `target`, with the template's mode. Directories are
/// made. All templates are read and expanded before the first file is written. Returns how many files were written.
Result<int> render_tree(const std::string& templates, const std::string& target, const NodeConfig& config);

}  // namespace thole
