// The logger process: `init logger`, with its connection to PID 1 as descriptor 3.
#pragma once

namespace thole {

/// Reads services' pipes and writes their logs until PID 1 closes the connection. Returns the exit status.
int logger_main();

}  // namespace thole
