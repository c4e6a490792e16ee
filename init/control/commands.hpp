// One function a command of `thole`. Arguments come without the command's own name; the exit status goes back.
#pragma once

#include <span>
#include <string_view>

#include "base/error.hpp"

namespace thole {

using Arguments = std::span<const std::string_view>;

int status_command(Arguments arguments);
int logs_command(Arguments arguments);
int unit_command(std::string_view verb, Arguments arguments);
int shutdown_command(std::string_view action);
int lint_command(Arguments arguments);
int config_command(Arguments arguments);
int reference_command(Arguments arguments);

/// Text to standard output; a reader that has gone away is no error.
void print(std::string_view text);

/// "thole: MESSAGE" to standard error; returns 1.
int complain(const Error& error);

/// The same for a wrong call; returns 2.
int complain_usage(std::string_view usage);

}  // namespace thole
