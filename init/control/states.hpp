// What the states of a unit mean to people and to programs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "control/json.hpp"
#include "control/protocol.hpp"

namespace thole {

/// ready, done, skipped or idle: nothing is missing.
bool is_as_it_should_be(std::string_view state);

/// It will be in another state soon, by itself.
bool is_on_its_way(std::string_view state);

/// failed or delayed: the last lines of its log are of interest.
bool needs_attention(std::string_view state);

/// An SGR parameter: green for good, yellow for on the way, red for failed; empty for the rest.
std::string_view colour_of(std::string_view state);

/// One line for people: why it is where it is, what it says of itself, or what it is.
std::string detail_of(const UnitStatus& unit, std::int64_t time);

/// The members that every JSON object of a unit has; docs/json.md. `time` is now, in milliseconds of the boot clock.
void put_unit(Json& json, const UnitStatus& unit, std::int64_t time);

}  // namespace thole
