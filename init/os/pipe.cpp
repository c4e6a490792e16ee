#include "os/pipe.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>

namespace thole {

Result<Pipe> make_pipe(std::string_view purpose) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return system_error("make a pipe for", purpose);
    }
    return Pipe{Fd(ends[0]), Fd(ends[1])};
}

}  // namespace thole
