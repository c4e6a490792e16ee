#include "boot/config_medium.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

constexpr const char* kMountPoint = "/run/thole/config-disk";

/// The text at a place, without what fills it up.
std::string label_at(std::string_view start, std::size_t offset, std::size_t size) {
    if (start.size() < offset + size) {
        return {};
    }
    const auto field = start.substr(offset, size);
    return std::string(trim(field.substr(0, field.find('\0'))));
}

bool has(std::string_view start, std::size_t offset, std::string_view bytes) {
    return start.size() >= offset && start.substr(offset).starts_with(bytes);
}

/// The file itself, and no link to another or to a device.
Result<std::string> read_plain_file(const std::string& path) {
    const auto file = open_file(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (!file) {
        return std::unexpected(file.error());
    }
    struct stat information{};
    if (::fstat(file->get(), &information) != 0 || !S_ISREG(information.st_mode)) {
        return failure(concat(path, " is no plain file"));
    }
    return read_file(path);
}

std::string plain_label(std::string_view text) {
    std::string letters;
    for (const char letter : text) {
        if (letter >= 'A' && letter <= 'Z') {
            letters += static_cast<char>(letter - 'A' + 'a');
        } else if (letter != '-' && letter != '_') {
            letters += letter;
        }
    }
    return letters;
}

}  // namespace

FileSystem identify_file_system(std::string_view start) {
    constexpr std::size_t kSuperblock = 1024;    // of ext4; kernel: Documentation/filesystems/ext4/super.rst
    constexpr std::size_t kDescriptor = 0x8000;  // ECMA-119, 8.4: the primary volume descriptor
    if (has(start, kSuperblock + 0x38, "\x53\xEF")) {
        return {"ext4", label_at(start, kSuperblock + 0x78, 16)};
    }
    if (has(start, kDescriptor + 1, "CD001")) {
        return {"iso9660", label_at(start, kDescriptor + 40, 32)};
    }
    // Microsoft's FAT specification, section 3.
    if (has(start, 0x52, "FAT32")) {
        return {"vfat", label_at(start, 0x47, 11)};
    }
    if (has(start, 0x36, "FAT1")) {
        return {"vfat", label_at(start, 0x2B, 11)};
    }
    return {};
}

bool same_label(std::string_view label, std::string_view wanted) { return plain_label(label) == plain_label(wanted); }

bool ConfigMedium::has_label(std::string_view wanted) const {
    // A stick with an ISO image has that image's label and its partitions as well.
    return (device.partition && same_label(device.label, wanted)) ||
           (!device.partitioned && same_label(system.label, wanted));
}

std::vector<ConfigMedium> read_media() {
    const auto mountinfo = read_file("/proc/self/mountinfo");
    std::vector<ConfigMedium> found;
    for (BlockDevice& device : list_readable_devices("/sys", mountinfo ? root_device("/sys", *mountinfo) : "")) {
        const auto start = device.root ? Result<std::string>(std::string()) : read_start(device, kLabelProbe);
        if (!start) {
            continue;  // a drive without a disk in it
        }
        found.push_back({std::move(device), identify_file_system(*start)});
    }
    return found;
}

Status with_medium(const ConfigMedium& medium, const ReadFiles& use) {
    const std::string path = medium.device.path();
    if (medium.system.type.empty()) {
        return failure("it has no file system that such a disk can have: vfat, iso9660 or ext4");
    }
    if (auto made = make_directories(kMountPoint, 0700); !made) {
        return made;
    }
    const std::string type(medium.system.type);
    // An ext4 journal would be replayed, and that writes.
    const char* const options = type == "ext4" ? "noload" : nullptr;
    constexpr unsigned long kFlags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
    if (::mount(path.c_str(), kMountPoint, type.c_str(), kFlags, options) != 0) {
        return system_error("mount", path);
    }
    const Status done = use([](std::string_view name) { return read_plain_file(concat(kMountPoint, "/", name)); });
    ::umount2(kMountPoint, MNT_DETACH);
    ::rmdir(kMountPoint);
    return done;
}

}  // namespace thole
