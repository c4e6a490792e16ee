// The processes of this room: the service, and the command line's part.
#pragma once

#include <span>
#include <string_view>

namespace thole::remote {

/// `init remote`: answers until it is killed. Returns the exit status where it cannot.
int service_main();

/// `thole -n NODE [--client FILE] [--endpoint ADDRESS:PORT] COMMAND...`. With a client's file it works on any machine;
/// without, on a node as root.
int node_command_main(std::span<const std::string_view> arguments);

/// `thole remote-client FILE NAME ROLE DAYS [ENDPOINT]`: prints a new client's file for the cluster whose secret FILE
/// has. It is what `./thole config client` runs.
int new_client_main(std::span<const std::string_view> arguments);

}  // namespace thole::remote
