// The values of unit keys that need more than a number or a text: each reads one and puts it into the unit.
#pragma once

#include <string_view>
#include <vector>

#include "supervisor/unit.hpp"

namespace thole {

Status add_condition(Unit& unit, Condition::Kind kind, std::string_view value);
Status add_container_condition(Unit& unit, std::string_view value, const Expander& expand);
Status add_roles(Unit& unit, std::string_view value, const Expander& expand);

/// A list of arguments in which the node's configuration is put in after splitting, so that a value with spaces stays
/// one argument.
Status add_arguments(std::string_view value, const Expander& expand, std::vector<std::string>& out);
Status add_command(std::string_view value, const Expander& expand, std::vector<CommandLine>& out);

Status absolute_path(std::string_view value, std::string& out);
Status set_umask(Unit& unit, std::string_view value, const Expander& expand);
Status add_limits(Unit& unit, std::string_view value, const Expander& expand);
Status set_capabilities(Unit& unit, std::string_view value, const Expander& expand);
Status set_ambient_capabilities(Unit& unit, std::string_view value, const Expander& expand);
Status set_cpu_max(Unit& unit, std::string_view value, const Expander& expand);
Status set_calendar(Unit& unit, std::string_view value, const Expander& expand);
Status add_listener(Unit& unit, std::string_view value, const Expander& expand);

}  // namespace thole
