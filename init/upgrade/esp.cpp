#include "upgrade/esp.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

#include "base/text.hpp"
#include "os/file.hpp"

namespace thole::upgrade {

namespace {

constexpr const char* kPlace = "/run/thole/esp";
constexpr std::string_view kKernels = "/EFI/Linux";

}  // namespace

Result<Esp> Esp::mount(const std::string& device) {
    if (auto made = make_directories(kPlace, 0700); !made) {
        return std::unexpected(made.error());
    }
    constexpr unsigned long kFlags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    if (::mount(device.c_str(), kPlace, "vfat", kFlags, "umask=0077") != 0) {
        return system_error("mount the EFI system partition", device);
    }
    return Esp(kPlace);
}

Esp::Esp(Esp&& other) noexcept : place_(std::exchange(other.place_, {})) {}

Esp::~Esp() {
    if (!place_.empty()) {
        ::umount2(place_.c_str(), 0);
        ::rmdir(place_.c_str());
    }
}

Result<std::vector<std::string>> Esp::kernels() const { return list_directory(concat(place_, kKernels)); }

std::string Esp::path_of(std::string_view kernel) const { return concat(place_, kKernels, "/", kernel); }

std::string Esp::path(std::string_view below) const { return concat(place_, "/", below); }

Status Esp::rename(std::string_view from, std::string_view to) const {
    const std::string source = path_of(from);
    if (from != to && ::rename(source.c_str(), path_of(to).c_str()) != 0) {
        return system_error("rename", source);
    }
    return sync();
}

Status Esp::remove(std::string_view kernel) const {
    const std::string path = path_of(kernel);
    return ::unlink(path.c_str()) == 0 ? Status() : system_error("remove", path);
}

Status Esp::sync() const {
    const auto place = open_file(place_, O_RDONLY | O_DIRECTORY);
    if (!place) {
        return std::unexpected(place.error());
    }
    return ::syncfs(place->get()) == 0 ? Status() : system_error("write out", place_);
}

}  // namespace thole::upgrade
