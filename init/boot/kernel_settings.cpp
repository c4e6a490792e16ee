#include "boot/kernel_settings.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/text.hpp"
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

void raise_limit(Console& console, int which, rlim_t value, std::string_view name) {
    const rlimit limit{value, value};
    if (::setrlimit(which, &limit) != 0) {
        console.line(concat("limits   ", name, " stays as it was: ", std::strerror(errno)));
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
    const auto text = read_file(kSysctlFile);
    const auto failed = text ? apply_sysctls(kSysctlFile, *text, "/proc/sys") : std::unexpected(text.error());
    if (!failed) {
        console.line(concat("sysctl   ", failed.error().message));
    } else if (!failed->empty()) {
        console.line(concat("sysctl   not set: ", *failed));
    }
}

void raise_limits(Console& console) {
    raise_limit(console, RLIMIT_NOFILE, kDescriptors, "the number of open files");
    raise_limit(console, RLIMIT_MEMLOCK, RLIM_INFINITY, "locked memory");
    raise_limit(console, RLIMIT_NPROC, RLIM_INFINITY, "the number of processes");
}

}  // namespace thole
