// The daemon's process.
#pragma once

namespace thole::mesh {

/// Runs until SIGTERM. Exit status 1: node.ini has no mesh, or something could not be set up; standard error says what.
int mesh_main();

}  // namespace thole::mesh
