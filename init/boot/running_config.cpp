#include "boot/running_config.hpp"

#include <vector>

#include "base/text.hpp"
#include "boot/container.hpp"
#include "config/sources.hpp"
#include "os/file.hpp"

namespace thole {

Result<NodeConfig> running_config() {
    const bool in_container = runs_in_container();
    // Ends with a NUL byte, as each of its variables does.
    const std::string environment = in_container ? read_file("/proc/1/environ").value_or(std::string()) : std::string();
    std::vector<const char*> variables;
    for (const std::string_view variable : split(environment, '\0')) {
        if (!variable.empty()) {
            variables.push_back(variable.data());  // NOLINT(bugprone-suspicious-stringview-data-usage): ends with NUL
        }
    }
    return load_node_config("", in_container, variables);
}

}  // namespace thole
