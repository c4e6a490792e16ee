#include "os/cgroup.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "base/text.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

std::vector<std::string> children_of(const std::string& path) {
    std::vector<std::string> children;
    struct stat own{};
    if (::stat(path.c_str(), &own) != 0 || own.st_nlink == 2) {
        return children;  // kernfs counts folders: most cgroups have none below them, and forty files
    }
    const auto names = list_directory(path);
    if (!names) {
        return children;
    }
    for (const std::string& name : *names) {
        struct stat information{};
        std::string child = concat(path, "/", name);
        if (::lstat(child.c_str(), &information) == 0 && S_ISDIR(information.st_mode)) {
            children.push_back(std::move(child));
        }
    }
    return children;
}

}  // namespace

Cgroup::Cgroup(std::string_view path) : path_(concat(kCgroupRoot, "/", path)) {}

Result<Cgroup> Cgroup::make(std::string_view path) {
    Cgroup cgroup(path);
    if (auto made = make_directories(cgroup.path_); !made) {
        return std::unexpected(made.error());
    }
    return cgroup;
}

Result<Fd> Cgroup::open() const { return open_file(path_, O_RDONLY | O_DIRECTORY); }

Status Cgroup::set(std::string_view file, std::string_view value) const {
    return write_value(concat(path_, "/", file), value);
}

Status Cgroup::kill() const {
    auto killed = set("cgroup.kill", "1");
    if (killed || killed.error().code != ENOENT) {
        return killed;
    }
    for (const int pid : processes_below(path_)) {
        ::kill(pid, SIGKILL);
    }
    return {};
}

bool Cgroup::populated() const {
    const auto events = read_file(path_ + "/cgroup.events");
    return events && flat_value(*events, "populated") != 0;
}

unsigned long Cgroup::oom_kills() const {
    const auto events = read_file(path_ + "/memory.events");
    return events ? flat_value(*events, "oom_kill") : 0;
}

Result<Fd> Cgroup::open_events() const { return open_file(path_ + "/cgroup.events", O_RDONLY); }

Status Cgroup::adopt(int pid) const { return set("cgroup.procs", to_text(std::int64_t{pid})); }

std::string own_cgroup() {
    const auto text = read_file("/proc/self/cgroup");
    for (const auto line : split(text ? std::string_view(*text) : std::string_view(), '\n')) {
        if (line.starts_with("0::")) {
            return std::string(line.substr(3));
        }
    }
    return "/";
}

unsigned long flat_value(std::string_view text, std::string_view name) {
    for (const auto line : split(text, '\n')) {
        const auto space = line.find(' ');
        if (space != std::string_view::npos && line.substr(0, space) == name) {
            return std::strtoul(std::string(line.substr(space + 1)).c_str(), nullptr, 10);
        }
    }
    return 0;
}

void remove_cgroup_tree(const std::string& path) {
    if (::rmdir(path.c_str()) == 0 || errno != EBUSY) {
        return;
    }
    for (const std::string& child : children_of(path)) {
        remove_cgroup_tree(child);
    }
    ::rmdir(path.c_str());
}

std::vector<int> processes_below(const std::string& path) {
    std::vector<int> pids;
    if (const auto processes = read_file(path + "/cgroup.procs")) {
        for (const auto word : split_words(*processes)) {
            const int pid = std::atoi(std::string(word).c_str());
            if (pid > 0) {  // 0 stands for a process that this PID namespace does not see
                pids.push_back(pid);
            }
        }
    }
    for (const std::string& child : children_of(path)) {
        for (const int pid : processes_below(child)) {
            pids.push_back(pid);
        }
    }
    return pids;
}

}  // namespace thole
