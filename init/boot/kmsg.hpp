// /dev/kmsg, without which the kubelet dies.
#pragma once

#include <string>

#include "base/error.hpp"

namespace thole {

enum class KmsgKind : unsigned char {
    device,  // the kernel log was there
    made,    // its device node was made
    fifo,    // no right to the kernel log (container): a quiet pipe in its place
};

/// Sees to it that `path` can be read as a kernel log is read. A FIFO is held open for reading and writing for as long
/// as PID 1 lives, so that readers block as on a quiet log instead of spinning on end-of-file.
Result<KmsgKind> provide_kmsg(const std::string& path);

}  // namespace thole
