// Names in /dev that no udev makes here.
#pragma once

#include <string>

#include "base/error.hpp"

namespace thole {

/// fd, stdin, stdout and stderr, where they are missing.
void link_standard_streams(const std::string& dev);

/// virtio-ports/NAME for each virtio-serial port that has a name.
Status link_virtio_ports(const std::string& sys, const std::string& dev);

}  // namespace thole
