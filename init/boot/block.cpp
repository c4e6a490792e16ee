#include "boot/block.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/text.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

constexpr std::uint64_t kSector = 512;
constexpr std::array<std::string_view, 6> kNoDisks{"loop", "ram", "zram", "dm-", "fd", "mtdblock"};

std::string attribute(const std::string& directory, std::string_view name) {
    const auto text = read_file(concat(directory, "/", name));
    return text ? std::string(trim(*text)) : std::string();
}

/// The value of NAME=value in a uevent file.
std::string uevent_value(const std::string& directory, std::string_view name) {
    const std::string text = attribute(directory, "uevent");
    for (const auto line : split(text, '\n')) {
        if (line.starts_with(name) && line.substr(name.size()).starts_with('=')) {
            return std::string(line.substr(name.size() + 1));
        }
    }
    return {};
}

std::string serial(const std::string& directory) {
    const std::string found = attribute(directory, "serial");
    return found.empty() ? attribute(directory, "device/serial") : found;
}

bool is_disk(std::string_view name) {
    return std::ranges::none_of(kNoDisks, [&](std::string_view prefix) { return name.starts_with(prefix); });
}

bool can_hold_data(const std::string& sys, const BlockDevice& device) {
    std::string name = device.name;
    std::ranges::replace(name, '/', '!');
    return !name.starts_with("sr") && attribute(concat(sys, "/class/block/", name), "ro") != "1";
}

/// sysfs writes the slash of a name such as cciss/c0d0 as an exclamation mark.
std::string device_name(std::string name) {
    std::ranges::replace(name, '!', '/');
    return name;
}

BlockDevice describe(const std::string& directory, const std::string& name) {
    BlockDevice device;
    device.name = device_name(name);
    const auto sectors = parse_integer(attribute(directory, "size"), 0, INT64_MAX / static_cast<std::int64_t>(kSector));
    device.size = sectors ? static_cast<std::uint64_t>(*sectors) * kSector : 0;
    device.partition = path_exists(directory + "/partition");
    device.label = device.partition ? uevent_value(directory, "PARTNAME") : serial(directory);
    return device;
}

/// sysfs has a partition's directory below its disk's.
void note_partitions(const std::string& sys, std::vector<BlockDevice>& devices) {
    for (BlockDevice& disk : devices) {
        for (const BlockDevice& other : devices) {
            if (disk.partition || !other.partition ||
                !path_exists(concat(sys, "/class/block/", disk.name, "/", other.name))) {
                continue;
            }
            disk.partitioned = true;
            disk.root = disk.root || other.root;
        }
    }
}

Status read_at(int fd, const std::string& path, std::uint64_t offset, std::string& out) {
    std::size_t done = 0;
    while (done < out.size()) {
        const ssize_t count = ::pread(fd, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            return system_error("read", path);
        }
        if (count == 0) {
            return failure(concat("cannot read ", path, ": it ends too early"));
        }
        done += static_cast<std::size_t>(count);
    }
    return {};
}

}  // namespace

std::vector<BlockDevice> list_readable_devices(const std::string& sys, const std::string& root_name) {
    std::vector<BlockDevice> devices;
    const auto names = list_directory(sys + "/class/block");
    if (!names) {
        return devices;
    }
    for (const std::string& name : *names) {
        const std::string directory = concat(sys, "/class/block/", name);
        if (!is_disk(name)) {
            continue;
        }
        BlockDevice device = describe(directory, name);
        device.root = device.name == root_name;
        if (device.size > 0) {
            devices.push_back(std::move(device));
        }
    }
    note_partitions(sys, devices);
    return devices;
}

std::vector<BlockDevice> list_block_devices(const std::string& sys, const std::string& root_name) {
    auto devices = list_readable_devices(sys, root_name);
    std::erase_if(devices, [&](const BlockDevice& device) { return !can_hold_data(sys, device); });
    return devices;
}

std::string root_device(const std::string& sys, const std::string& mountinfo) {
    for (const auto line : split(mountinfo, '\n')) {
        const auto words = split_words(line);
        if (words.size() < 5 || words[4] != "/") {
            continue;
        }
        const std::string directory = concat(sys, "/dev/block/", words[2]);
        const auto below = list_directory(directory + "/slaves");
        if (below && !below->empty()) {
            return device_name(below->front());
        }
        return uevent_value(directory, "DEVNAME");
    }
    return {};
}

Result<std::string> read_start(const BlockDevice& device, std::size_t size) {
    auto fd = open_file(device.path(), O_RDONLY);
    if (!fd) {
        return std::unexpected(fd.error());
    }
    std::string start(static_cast<std::size_t>(std::min<std::uint64_t>(size, device.size)), '\0');
    const auto done = read_at(fd->get(), device.path(), 0, start);
    return done ? Result<std::string>(std::move(start)) : std::unexpected(done.error());
}

Result<Content> read_content(const BlockDevice& device) {
    auto fd = open_file(device.path(), O_RDONLY);
    if (!fd) {
        return std::unexpected(fd.error());
    }
    const auto probe = static_cast<std::size_t>(std::min<std::uint64_t>(kProbeSize, device.size));
    std::string start(probe, '\0');
    std::string end(probe, '\0');
    if (auto done = read_at(fd->get(), device.path(), 0, start); !done) {
        return std::unexpected(done.error());
    }
    if (auto done = read_at(fd->get(), device.path(), device.size - probe, end); !done) {
        return std::unexpected(done.error());
    }
    return describe_content(start, end, device.size);
}

std::vector<BlockDevice> devices_with_content() {
    const auto mountinfo = read_file("/proc/self/mountinfo");
    auto devices = list_block_devices("/sys", mountinfo ? root_device("/sys", *mountinfo) : "");
    for (BlockDevice& device : devices) {
        if (device.root || device.partitioned) {
            continue;
        }
        auto content = read_content(device);
        device.content = content
                             ? std::move(*content)
                             : Content{ContentKind::foreign, concat("(", content.error().message, ")"), 0, false, 0};
    }
    return devices;
}

}  // namespace thole
