// `thole doctor k3s`: what k3s wants of kernel and host, as its own `k3s check-config` asks for it, by what the running
// kernel shows rather than by its configuration file.
#pragma once

#include <string>
#include <vector>

#include "control/doctor.hpp"

namespace thole::k3s {

/// `root` is "" on a node. Rows whose name begins with "optional:" are never wrong; they say what is missing.
std::vector<DoctorRow> k3s_checks(const std::string& root);

}  // namespace thole::k3s
