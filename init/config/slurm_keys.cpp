#include "config/slurm_keys.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "config/address.hpp"
#include "config/node_config.hpp"

namespace thole {

namespace {

Result<unsigned> parse_id(std::string_view item, std::string_view text) {
    const auto number = parse_integer(text, kFirstJobId, kLastJobId);
    return number ? Result<unsigned>(static_cast<unsigned>(*number))
                  : with_context(concat("the number in '", item, "'"), number.error());
}

Status check_new(const std::vector<JobGroup>& taken, std::string_view name, unsigned id) {
    for (const JobGroup& group : taken) {
        if (group.name == name || group.id == id) {
            return failure(concat(name, ":", id, " and ", group.name, ":", group.id,
                                  " are there both: names and numbers are for one each"));
        }
    }
    return {};
}

Status add_group(const JobAccounts& accounts, std::vector<JobGroup>& all, std::string_view item) {
    const auto fields = split(item, ':');
    const auto id = parse_id(item, fields[1]);
    if (!id) {
        return std::unexpected(id.error());
    }
    if (auto checked = check_new(all, fields[0], *id); !checked) {
        return checked;
    }
    JobGroup group{std::string(fields[0]), *id, {}};
    for (std::size_t at = 2; at < fields.size(); ++at) {
        if (std::ranges::find(accounts.users, fields[at], &JobUser::name) == accounts.users.end()) {
            return failure(concat("'", fields[at], "' in '", item, "' is not in slurm.users"));
        }
        group.members.emplace_back(fields[at]);
    }
    all.push_back(std::move(group));
    return {};
}

Status check_nfs_place(const NodeConfig& config, std::string_view key) {
    const auto place = config.text(key);
    if (place.empty() || (place.find(":/") != std::string_view::npos && !place.starts_with(':'))) {
        return {};
    }
    return failure(concat(key, " '", place, "' (", config.origin(key), ") is not SERVER:/PATH"));
}

Status check_controllers(const NodeConfig& config) {
    const auto names = config.list("slurm.controller");
    const std::string where = concat(" (", config.origin("slurm.controller"), ")");
    const bool controls = has_slurm_role(config, "controller");
    if (names.empty() && !controls) {
        return failure(concat("slurm.role is ", config.text("slurm.role"), " (", config.origin("slurm.role"),
                              "), but slurm.controller does not name the controller"));
    }
    for (const auto name : names) {
        if (parse_address(name)) {
            return failure(concat("slurm.controller '", name, "'", where,
                                  " is an address; SLURM knows its controllers by their names in the mesh"));
        }
    }
    const auto own = config.text("node.name");
    if (controls && !names.empty() && !own.empty() && std::ranges::find(names, own) == names.end()) {
        return failure(concat("this node, ", own, ", has the role of a controller, but slurm.controller names ",
                              config.text("slurm.controller"), where));
    }
    if (!controls || names.size() < 2) {
        return {};
    }
    if (config.text("slurm.state").empty()) {
        return failure(concat("slurm.controller names ", names.size(), " controllers", where,
                              ", but slurm.state does not say on which NFS server they share the queue"));
    }
    if (config.text("slurm.accounting") == "database") {
        return failure(concat("slurm.accounting is database (", config.origin("slurm.accounting"),
                              "), which is on the controller's own disk: that goes with one controller, and "
                              "slurm.controller names ",
                              names.size(), where));
    }
    return {};
}

Status check_path(const NodeConfig& config, std::string_view key) {
    const auto path = config.text(key);
    if (path.empty() || (path.starts_with('/') && path.find_first_of(" \t\"#") == std::string_view::npos)) {
        return {};
    }
    return failure(concat(key, " '", path, "' (", config.origin(key),
                          ") is not the path of a program: it begins with '/' and has no blanks"));
}

}  // namespace

Result<JobAccounts> job_accounts(const NodeConfig& config) {
    JobAccounts accounts;
    std::vector<JobGroup> all;  // each user's own group, too
    for (const auto item : config.list("slurm.users")) {
        if (auto added = add_group(accounts, all, item); !added) {
            return with_context(concat("slurm.users (", config.origin("slurm.users"), ")"), added.error());
        }
        accounts.users.push_back({all.back().name, all.back().id});
    }
    for (const auto item : config.list("slurm.groups")) {
        if (auto added = add_group(accounts, all, item); !added) {
            return with_context(concat("slurm.groups (", config.origin("slurm.groups"), ")"), added.error());
        }
        accounts.groups.push_back(all.back());
    }
    return accounts;
}

bool has_slurm_role(const NodeConfig& config, std::string_view role) {
    return std::ranges::count(config.list("slurm.role"), role) > 0;
}

Status check_slurm(const NodeConfig& config) {
    if (config.text("slurm.role").empty()) {
        return {};
    }
    if (auto checked = check_controllers(config); !checked) {
        return checked;
    }
    if (const auto accounts = job_accounts(config); !accounts) {
        return std::unexpected(accounts.error());
    }
    for (const auto key : {"slurm.prolog", "slurm.epilog"}) {
        if (auto checked = check_path(config, key); !checked) {
            return checked;
        }
    }
    for (const auto key : {"slurm.home", "slurm.state"}) {
        if (auto checked = check_nfs_place(config, key); !checked) {
            return checked;
        }
    }
    return {};
}

void derive_reserved(NodeConfig& config) {
    constexpr std::int64_t kOwnCpu = 100;
    constexpr std::int64_t kOwnMemory = 256;
    constexpr std::int64_t kMost = INT32_MAX;
    const bool computes = has_slurm_role(config, "compute");
    const auto cpus = computes ? parse_integer(config.text("slurm.cpus"), 0, kMost).value_or(0) : 0;
    const auto memory = computes ? parse_integer(config.text("slurm.memory"), 0, kMost).value_or(0) : 0;
    config.derive("kubernetes.reserved-cpu", to_text(kOwnCpu + cpus * 1000), cpus > 0 ? "slurm.cpus" : "default");
    config.derive("kubernetes.reserved-memory", to_text(kOwnMemory + memory), memory > 0 ? "slurm.memory" : "default");
}

}  // namespace thole
