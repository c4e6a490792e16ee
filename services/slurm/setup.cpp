#include "setup.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "accounts.hpp"
#include "base/text.hpp"
#include "control/client.hpp"
#include "control/mesh_client.hpp"
#include "munge_key.hpp"
#include "os/accounts.hpp"
#include "os/cgroup.hpp"
#include "os/file.hpp"
#include "os/host_name.hpp"
#include "reach.hpp"

#include "say.hpp"

namespace thole::slurm {

using mesh::say;

namespace {

constexpr const char* kMungeFolder = "/run/munge";
constexpr const char* kMungeKey = "/run/munge/munge.key";
constexpr const char* kOwnKey = "/var/lib/slurm/munge.key";
constexpr const char* kControllerRun = "/run/slurmctld";
constexpr const char* kEnvironment = "/run/thole/slurm.env";
constexpr const char* kOwnGres = "/run/thole/gres.conf";
constexpr const char* kRestFolder = "/run/slurmrestd";
constexpr const char* kDatabaseRun = "/run/mysqld";  // where MariaDB's clients look for its socket
constexpr const char* kSystemTables = "/usr/share/mariadb/mariadb_system_tables.sql";
constexpr std::string_view kFirstStatements =
    "CREATE DATABASE IF NOT EXISTS slurm;\nCREATE DATABASE IF NOT EXISTS mysql;\nUSE mysql;\n";
constexpr const char* kMore = "/var/lib/slurm/more.conf";  // lines of the site's own

std::string etc(std::string_view name) { return concat("/etc/slurm/", name); }

Status give(const std::string& path, std::string_view owner) {
    const auto account = find_account(owner, {}, {});
    if (!account) {
        return std::unexpected(account.error());
    }
    return ::chown(path.c_str(), account->user, account->group) == 0 ? Status()
                                                                     : system_error("set the owner of", path);
}

Status make_owned(const std::string& path, std::string_view owner, mode_t mode) {
    const auto made = make_directories(path, mode);
    return made ? give(path, owner) : made;
}

/// ioctl(2) of a file's attributes, by itself: C libraries differ in the type of its request, and this one fits no int.
long attributes(int fd, unsigned long request, int& flags) { return ::syscall(SYS_ioctl, fd, request, &flags); }

/// SLURM syncs its list of jobs, but not the jobs' scripts: after a power cut it has jobs without one, and ends itself
/// at the first of them. With these attributes (chattr(1), S and D) what is written below the folder is on the disk
/// before the job is accepted. A file system without them, such as one in memory, has nothing to lose.
Status write_through(const std::string& folder) {
    const auto fd = open_file(folder, O_RDONLY | O_DIRECTORY);
    if (!fd) {
        return std::unexpected(fd.error());
    }
    int flags = 0;
    if (attributes(fd->get(), FS_IOC_GETFLAGS, flags) != 0) {
        return {};
    }
    flags |= FS_SYNC_FL | FS_DIRSYNC_FL;
    if (attributes(fd->get(), FS_IOC_SETFLAGS, flags) != 0 && errno != EOPNOTSUPP && errno != ENOTTY) {
        return system_error("have all written to the disk at once below", folder);
    }
    return {};
}

/// proc(5): "MemTotal:  2014396 kB".
std::int64_t memory_kib() {
    const std::string text = read_file("/proc/meminfo").value_or("");
    const auto words = split_words(std::string_view(text).substr(0, text.find('\n')));
    return words.size() > 1 ? parse_integer(words[1], 0, INT64_MAX).value_or(0) : 0;
}

/// Writes only what is different: both files are read by every program that asks for a name.
Status replace_where_different(const std::string& path, std::string_view text) {
    const auto before = read_file(path);
    return before && *before == text ? Status() : replace_file(path, text, 0644);
}

Status give_homes(const JobAccounts& accounts) {
    for (const JobUser& user : accounts.users) {
        const std::string home = concat("/var/home/", user.name);
        if (path_exists(home)) {
            continue;
        }
        // By name: its account is in passwd before its home is made.
        if (auto made = make_owned(home, user.name, 0700); !made) {
            return made;
        }
    }
    return {};
}

Status make_folders() {
    for (const auto* folder : {kRunFolder, "/etc/slurm", "/var/lib/slurm/node/conf-cache"}) {
        if (auto made = make_directories(folder); !made) {
            return made;
        }
    }
    if (auto made = make_owned(kMungeFolder, "munge", 0755); !made) {
        return made;
    }
    if (auto made = make_owned(kRestFolder, "slurmrestd", 0750); !made) {
        return made;
    }
    if (auto set = write_through(kQueue); !set) {
        return set;
    }
    return make_owned(kControllerRun, "slurm", 0755);
}

/// slurmd asks no systemd for the cgroup of its jobs where that is there already. Told to ignore systemd, it would in a
/// container also take its own cgroup for the container's root, and hand controllers down there (SLURM 24.11,
/// cgroup_v2.c): no process can be put into it after that, and neither a restart nor a reconfiguration of slurmd works.
void make_scope_of_jobs() {
    const std::string scope = concat(kCgroupRoot, "/system.slice/", host_name(), "_slurmstepd.scope");
    if (const auto made = make_directories(scope); !made) {
        say(concat(made.error().message, "; SLURM cannot run jobs here"));
    }
}

Status copy_hook(std::string_view from, const std::string& name) {
    if (from.empty()) {
        return {};
    }
    const auto text = read_file(std::string(from));
    return text ? replace_file(etc(name), *text, 0755) : with_context(concat("slurm.", name), text.error());
}

}  // namespace

Status Setup::prepare() {
    if (auto made = make_folders(); !made) {
        return made;
    }
    if (auto written = write_key(); !written) {
        return std::unexpected(written.error());
    }
    if (has_slurm_role(config_, "controller")) {
        if (auto written = write_controller_files(); !written) {
            return written;
        }
    }
    if (has_slurm_role(config_, "compute")) {
        make_scope_of_jobs();
    }
    if (auto written = write_accounts(); !written) {
        return written;
    }
    return write_node_environment();
}

Status Setup::refresh() {
    const auto changed = write_key();
    if (!changed) {
        return std::unexpected(changed.error());
    }
    if (*changed) {
        say("the cluster's secret has changed: munged gets a new key");
        if (auto asked = ask_pid1("restart munge"); !asked) {
            return std::unexpected(asked.error());
        }
    }
    return write_accounts();
}

Result<bool> Setup::write_key() {
    const auto key = munge_key(config_, kMeshFolder, kOwnKey);
    return key ? write_munge_key(kMungeKey, *key, "munge") : std::unexpected(key.error());
}

/// In a mesh the address there, else the one of the node's network; empty where it has none yet.
std::string Setup::address_of_node() const {
    if (config_.text("mesh.cluster").empty()) {
        return node_address();
    }
    const auto info = ask_mesh("info");
    return info ? std::string(info_value(*info, "ipv4")) : std::string();
}

/// Waits until the address of each is known.
std::vector<Controller> Setup::controllers() const {
    constexpr unsigned kPause = 200'000;  // microseconds
    std::vector<Controller> all;
    for (const std::string& name : controller_names(config_, host_name())) {
        Controller one{.name = name, .address = address_of_controller(name)};
        if (one.address.empty()) {
            say(concat("waiting for the address of ", name));
        }
        while (one.address.empty()) {
            ::usleep(kPause);
            one.address = address_of_controller(name);
        }
        all.push_back(std::move(one));
    }
    return all;
}

/// This node's from the mesh itself, another's from what the mesh has written into the file of hosts.
std::string Setup::address_of_controller(const std::string& name) const {
    if (name == host_name()) {
        return address_of_node();
    }
    const auto address = address_of(name);
    return address ? address_text(*address) : std::string();
}

Status Setup::write_controller_files() {
    const Cluster cluster{.controllers = controllers(), .has_more = path_exists(kMore)};
    const auto accounts = job_accounts(config_);
    if (!accounts) {
        return std::unexpected(accounts.error());
    }
    if (cluster.has_more) {
        const auto more = read_file(kMore);
        if (auto copied = more ? replace_file(etc("more.conf"), *more, 0644) : std::unexpected(more.error()); !copied) {
            return copied;
        }
    }
    for (const auto* hook : {"prolog", "epilog"}) {
        if (auto copied = copy_hook(config_.text(concat("slurm.", hook)), hook); !copied) {
            return copied;
        }
    }
    if (auto written = write_database_files(host_name()); !written) {
        return written;
    }
    if (auto written = replace_file(etc("users.conf"), handed_out(*accounts), 0644); !written) {
        return written;
    }
    if (auto written = replace_file(etc("cgroup.conf"), cgroup_conf(), 0644); !written) {
        return written;
    }
    if (auto written = replace_file(etc("gres.conf"), gres_conf(), 0644); !written) {
        return written;
    }
    return replace_file(etc("slurm.conf"), slurm_conf(config_, cluster), 0644);
}

/// The tables are made in the database `mysql`. slurmdbd's own is made here too: made by slurmdbd, its first start
/// fails.
Status Setup::write_database_files(std::string_view controller) {
    if (config_.text("slurm.accounting") != "database") {
        return {};
    }
    const auto tables = read_file(kSystemTables);
    if (!tables) {
        return failure(concat("slurm.accounting is database (", config_.origin("slurm.accounting"),
                              "), but there is none in this image: it needs the profile slurm-accounting"));
    }
    if (auto made = make_owned(kDatabaseRun, "slurm", 0750); !made) {
        return made;
    }
    const std::string start = concat(kFirstStatements, *tables);
    if (auto written = replace_file(concat(kDatabaseRun, "/init.sql"), start, 0644); !written) {
        return written;
    }
    const std::string path = etc("slurmdbd.conf");
    if (auto written = replace_file(path, slurmdbd_conf(controller), 0600); !written) {
        return written;
    }
    return give(path, "slurm");
}

/// slurm.gpus, less what is not there: slurmd ends where one of its files is missing.
std::vector<std::string> Setup::gpu_files() const {
    std::vector<std::string> found;
    const auto named = config_.list("slurm.gpus");
    for (const auto file : named) {
        if (std::string path(file); path_exists(path)) {
            found.push_back(std::move(path));
        } else {
            say(concat("slurm.gpus names ", file, ", which is not there: jobs do not get it"));
        }
    }
    std::string path = "/dev/nvidia0";
    for (int number = 0; named.empty() && path_exists(path); path = concat("/dev/nvidia", ++number)) {
        found.push_back(path);
    }
    return found;
}

/// What slurmd.unit and sackd.unit put into their commands, and the node's own device files.
Status Setup::write_node_environment() {
    std::string names;
    std::string servers;
    for (const std::string& name : controller_names(config_, host_name())) {
        append(names, names.empty() ? "" : ",", name);
        append(servers, servers.empty() ? "" : ",", name, ":", kControllerPort);
    }
    const auto gpus = gpu_files();
    if (auto written = replace_file(kOwnGres, own_gres_conf(host_name(), gpus), 0644); !written) {
        return written;
    }
    const std::string line = node_line(config_, memory_kib(), gpus.size());
    return replace_file(kEnvironment,
                        concat("CONTROLLERS=", names, "\nCONFIG_SERVERS=", servers, "\nNODE_LINE=", line, "\n"), 0644);
}

/// On the controller from node.ini, elsewhere from what the controller has handed out; before it has, none are known.
Status Setup::write_accounts() {
    JobAccounts accounts;
    if (has_slurm_role(config_, "controller")) {
        auto own = job_accounts(config_);
        if (!own) {
            return std::unexpected(own.error());
        }
        accounts = std::move(*own);
    } else {
        const auto text = read_file(kHandedOut);
        if (!text) {
            return text.error().code == ENOENT ? Status() : Status(std::unexpected(text.error()));
        }
        accounts = read_handed_out(*text);
    }
    const auto passwd = read_file("/etc/passwd");
    const auto group = read_file("/etc/group");
    if (!passwd || !group) {
        return std::unexpected(passwd ? group.error() : passwd.error());
    }
    if (auto written = replace_where_different("/etc/group", with_groups(*group, accounts)); !written) {
        return written;
    }
    if (auto written = replace_where_different("/etc/passwd", with_users(*passwd, accounts)); !written) {
        return written;
    }
    return config_.text("slurm.home").empty() ? give_homes(accounts) : Status();
}

}  // namespace thole::slurm
