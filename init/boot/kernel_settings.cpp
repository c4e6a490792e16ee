#include "boot/kernel_settings.hpp"

#include <sys/resource.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/text.hpp"
#include "boot/container.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

constexpr const char* kSysctlFile = "/usr/lib/thole/sysctl.conf";
constexpr rlim_t kDescriptors = 1'048'576;

std::string sysctl_path(const std::string& proc_sys, std::string_view key) {
    std::string path(key);
    if (path.find('/') == std::string::npos) {
        std::ranges::replace(path, '.', '/');
    }
    return concat(proc_sys, "/", path);
}

/// A container may not go above what its engine allows, but up to that.
void raise_limit(Console& console, int which, rlim_t value, std::string_view name) {
    const rlimit wanted{value, value};
    if (::setrlimit(which, &wanted) == 0) {
        return;
    }
    const int code = errno;
    rlimit allowed{};
    ::getrlimit(which, &allowed);
    const rlimit most{allowed.rlim_max, allowed.rlim_max};
    ::setrlimit(which, &most);
    console.line(
        concat("limits   ", name, " stays at ", static_cast<std::int64_t>(most.rlim_max), ": ", std::strerror(code)));
}

/// Says what could not be set, unless nothing can be.
void report(Console& console, const std::string& failed) {
    struct statvfs information{};
    if (::statvfs("/proc/sys", &information) == 0 && (information.f_flag & ST_RDONLY) != 0) {
        console.line("sysctl   /proc/sys is read-only: this container has its host's settings");
    } else {
        console.line(concat("sysctl   not set: ", failed));
    }
}

}  // namespace

Result<std::string> apply_sysctls(std::string_view file, std::string_view text, const std::string& proc_sys) {
    std::string failed;
    int number = 0;
    for (const auto raw : split(text, '\n')) {
        ++number;
        const auto line = trim(raw);
        if (line.empty() || line.starts_with('#') || line.starts_with(';')) {
            continue;
        }
        const auto equals = line.find('=');
        const auto key = trim(line.substr(0, equals));
        if (equals == std::string_view::npos || key.empty() || key.find("..") != std::string_view::npos) {
            return failure(concat(file, ":", number, ": not 'key = value'"));
        }
        if (const auto set = write_value(sysctl_path(proc_sys, key), trim(line.substr(equals + 1))); !set) {
            failed += concat(failed.empty() ? "" : ", ", key, " (", std::strerror(set.error().code), ")");
        }
    }
    return failed;
}

void set_sysctls(Console& console) {
    if (runs_in_container() && !path_exists(kSysctlFile)) {
        return;  // an image that asks for none
    }
    const auto text = read_file(kSysctlFile);
    const auto failed = text ? apply_sysctls(kSysctlFile, *text, "/proc/sys") : std::unexpected(text.error());
    if (!failed) {
        console.line(concat("sysctl   ", failed.error().message));
    } else if (!failed->empty()) {
        report(console, *failed);
    }
}

void raise_limits(Console& console) {
    raise_limit(console, RLIMIT_NOFILE, kDescriptors, "the number of open files");
    raise_limit(console, RLIMIT_MEMLOCK, RLIM_INFINITY, "locked memory");
    raise_limit(console, RLIMIT_NPROC, RLIM_INFINITY, "the number of processes");
}

}  // namespace thole
