// Runs a program and waits for it, as boot needs it before there is a supervisor: mkfs.ext4, e2fsck.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace thole {

struct ProgramResult {
    int status = 0;      // exit status; 128 + signal for a program that a signal ended
    std::string output;  // the first 16 KiB of standard output and error
};

/// Runs `arguments[0]` (an absolute path) with an empty environment but for PATH, and with `input`, which may be 4 KiB,
/// as its standard input. An error where it could not be started; a status other than 0 is the caller's to judge.
Result<ProgramResult> run_program(const std::vector<std::string>& arguments, std::string_view input = {});

}  // namespace thole
