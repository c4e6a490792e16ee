// `thole doctor` on a node of SLURM: the whole way from this node to a running job.
#pragma once

#include <vector>

#include "control/doctor.hpp"

namespace thole::slurm {

/// Nothing on a node without SLURM.
std::vector<DoctorRow> slurm_checks();

}  // namespace thole::slurm
