#include "upgrade/slots.hpp"

#include "base/text.hpp"
#include "os/file.hpp"
#include "upgrade/bundle.hpp"

namespace thole::upgrade {

namespace {

constexpr std::string_view kRoot = "thole-root-";
constexpr std::string_view kEsp = "thole-esp";
constexpr std::string_view kVersion = "image.version=";

/// vda of vda3, nvme0n1 of nvme0n1p3.
std::string_view disk_of(std::string_view partition) {
    while (!partition.empty() && partition.back() >= '0' && partition.back() <= '9') {
        partition.remove_suffix(1);
    }
    if (partition.size() > 1 && partition.back() == 'p') {
        const char before = partition[partition.size() - 2];
        if (before >= '0' && before <= '9') {
            partition.remove_suffix(1);
        }
    }
    return partition;
}

}  // namespace

Result<Slots> find_slots(const std::vector<BlockDevice>& devices) {
    Slots found;
    for (const BlockDevice& device : devices) {
        if (device.root && device.partition && device.label.starts_with(kRoot)) {
            found.running = device;
        }
    }
    if (found.running.name.empty()) {
        return failure(
            "this node was not booted from a disk with two roots: its root is on no partition called thole-root-a or "
            "thole-root-b. Upgrades need the disk that `./thole build --format uefi` makes");
    }
    const auto disk = disk_of(found.running.name);
    for (const BlockDevice& device : devices) {
        if (!device.partition || disk_of(device.name) != disk) {
            continue;
        }
        if (device.label == kEsp) {
            found.esp = device;
        } else if (device.label.starts_with(kRoot) && device.name != found.running.name) {
            found.other = device;
        }
    }
    if (found.esp.name.empty() || found.other.name.empty()) {
        return failure(
            concat("/dev/", disk, " has no partition ", found.esp.name.empty() ? kEsp : "for a second root"));
    }
    return found;
}

Result<Slots> this_machines_slots() {
    if (!path_exists("/sys/firmware/efi")) {
        return failure(
            "this machine was started by a BIOS, whose boot loader knows one version only: upgrades and rollbacks need "
            "UEFI. The way to another version is a new disk (./thole flash, or thole install on a live image)");
    }
    const auto mountinfo = read_file("/proc/self/mountinfo");
    if (!mountinfo) {
        return std::unexpected(mountinfo.error());
    }
    return find_slots(list_block_devices("/sys", root_device("/sys", *mountinfo)));
}

Result<std::string> running_version() {
    const auto line = read_file("/proc/cmdline");
    if (!line) {
        return std::unexpected(line.error());
    }
    for (const auto word : split_words(*line)) {
        if (word.starts_with(kVersion) && is_version(word.substr(kVersion.size()))) {
            return std::string(word.substr(kVersion.size()));
        }
    }
    return failure("the kernel's command line does not say which version runs (image.version=)");
}

}  // namespace thole::upgrade
