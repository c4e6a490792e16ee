// Users and groups of jobs: how the controller hands them out, and how they get into a node's passwd and group. Pure.
#pragma once

#include <string>
#include <string_view>

#include "config/slurm_keys.hpp"

namespace thole::slurm {

/// The file that slurm.conf includes and every node gets with it; all of it is comment for SLURM.
std::string handed_out(const JobAccounts& accounts);

/// The accounts in such a file. A line that is not just so is passed over, as is a number that is not for jobs: the
/// controller can make nobody root here.
JobAccounts read_handed_out(std::string_view text);

/// A passwd file with these users in place of those that it had for jobs.
std::string with_users(std::string_view passwd, const JobAccounts& accounts);

/// The same for a group file: each user's own group, then the others.
std::string with_groups(std::string_view group, const JobAccounts& accounts);

}  // namespace thole::slurm
