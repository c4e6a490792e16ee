// The end of a node that cannot go on: a message on the console, and a machine that waits for a person.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "os/console.hpp"

namespace thole {

/// The message in lines of at most `width` characters, broken between words, with a frame around it.
std::vector<std::string> boxed(std::string_view message, std::size_t width);

/// Shows the message and waits for ever, taking exit statuses of orphans: ctrl-alt-del and SIGINT restart the machine,
/// the power button switches it off. A container ends with status 1 instead, because its log is where the message is
/// read.
[[noreturn]] void halt(Console& console, std::string_view message);

}  // namespace thole
