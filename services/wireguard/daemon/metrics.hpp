// The mesh in figures, in Prometheus' text format (prometheus.io: exposition formats, version 0.0.4).
#pragma once

#include <string>

#include "mesh.hpp"

namespace thole::mesh {

std::string metrics_text(const Mesh& mesh, std::uint64_t link_errors);

}  // namespace thole::mesh
