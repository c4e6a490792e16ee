// What the lists of node.ini's section [slurm] say, and the checks of that section.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace thole {

class NodeConfig;

/// Numbers of users and groups of jobs: the image's accounts have those below, Debian and nobody those above.
inline constexpr std::int64_t kFirstJobId = 1000;
inline constexpr std::int64_t kLastJobId = 59'999;

struct JobUser {
    std::string name;
    unsigned id = 0;

    friend bool operator==(const JobUser&, const JobUser&) = default;
};

struct JobGroup {
    std::string name;
    unsigned id = 0;
    std::vector<std::string> members;

    friend bool operator==(const JobGroup&, const JobGroup&) = default;
};

/// Who has jobs.
struct JobAccounts {
    std::vector<JobUser> users;
    std::vector<JobGroup> groups;

    friend bool operator==(const JobAccounts&, const JobAccounts&) = default;
};

/// slurm.users and slurm.groups. Errors: a number that is none or out of its bounds, one or a name that is there twice,
/// a member who is no user.
Result<JobAccounts> job_accounts(const NodeConfig& config);

/// True where slurm.role has that word.
bool has_slurm_role(const NodeConfig& config, std::string_view role);

/// What the keys of [slurm] say together.
Status check_slurm(const NodeConfig& config);

/// What is kept from pods, where node.ini does not say it: thousandths of a processor, MiB.
void derive_reserved(NodeConfig& config);

}  // namespace thole
