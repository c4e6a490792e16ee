// The process that writes logs to disk, where it may have to wait; the logger never does.
#pragma once

#include "log/log_places.hpp"

namespace thole {

/// Writes what comes over the SOCK_SEQPACKET socket `batches` until its other end is closed; then everything that was
/// written is on disk. Returns the exit status.
int log_writer_main(const LogPlaces& places, int batches);

}  // namespace thole
