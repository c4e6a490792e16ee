#include "say.hpp"

#include <unistd.h>

#include "base/text.hpp"
#include "os/file.hpp"

namespace thole::mesh {

void say(std::string_view text) { (void)write_all(STDERR_FILENO, concat(text, "\n"), "standard error"); }

}  // namespace thole::mesh
