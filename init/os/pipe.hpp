// Pipes whose ends close themselves.
#pragma once

#include <string_view>

#include "base/error.hpp"
#include "os/fd.hpp"

namespace thole {

struct Pipe {
    Fd reader;
    Fd writer;
};

/// pipe2(2), with both ends closed where another program is started. `purpose` is for the error: "the command".
Result<Pipe> make_pipe(std::string_view purpose);

}  // namespace thole
