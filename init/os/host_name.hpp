// The machine's name, as the kernel has it.
#pragma once

#include <string>

namespace thole {

/// gethostname(2); empty where the kernel does not say.
std::string host_name();

}  // namespace thole
