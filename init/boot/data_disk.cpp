#include "boot/data_disk.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>

#include "base/text.hpp"
#include "boot/block.hpp"
#include "boot/clock_floor.hpp"
#include "boot/data_format.hpp"
#include "boot/disk_choice.hpp"
#include "boot/partition_grow.hpp"
#include "boot/program.hpp"
#include "os/clock.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

constexpr std::uint64_t kWorthGrowing = std::uint64_t{64} << 20U;
constexpr unsigned long kResizeRequest = _IOW('f', 16, std::uint64_t);  // EXT4_IOC_RESIZE_FS, linux/ext4.h

std::string mebibytes(std::uint64_t bytes) { return concat(bytes >> 20U, " MiB"); }

/// Writes a text into the marker's block, through to the medium.
Status write_marker(const BlockDevice& device, std::string_view text) {
    auto fd = open_file(device.path(), O_RDWR);
    if (!fd) {
        return std::unexpected(fd.error());
    }
    std::string block(text);
    block.resize(kDataBlock, '\0');
    const auto offset = static_cast<off_t>(marker_offset(device.size));
    if (::pwrite(fd->get(), block.data(), block.size(), offset) != static_cast<ssize_t>(block.size()) ||
        ::fsync(fd->get()) != 0) {
        return system_error("write the format marker to", device.path());
    }
    return {};
}

/// The marker stands before the first write of the format and until the last is on the medium, so that a power cut at
/// any moment leaves a blank disk, one with the marker, or a whole file system.
Status format(Console& console, BlockDevice& device) {
    console.line(concat("disk     making a file system on ", device.path(), ", ", mebibytes(device.size)));
    const Instant start = now();
    if (auto marked = write_marker(device, kFormatMarker); !marked) {
        return marked;
    }
    if (auto made = make_data_file_system(device); !made) {
        return made;
    }
    if (auto unmarked = write_marker(device, {}); !unmarked) {
        return unmarked;
    }
    const auto content = read_content(device);
    if (!content || content->kind != ContentKind::ours) {
        return failure(
            concat("formatted ", device.path(), ", but its file system cannot be read back: the disk is faulty"));
    }
    device.content = *content;
    console.line(concat("disk     made in ", duration_text(now() - start)));
    return {};
}

/// e2fsck -p mends what can be mended without a choice; more than that is for a person to decide.
Status check(Console& console, const BlockDevice& device) {
    console.line(concat("disk     ", device.path(), " was not unmounted in order: checking it"));
    const Instant start = now();
    const auto checked = run_program({"/usr/sbin/e2fsck", "-p", device.path()});
    if (!checked) {
        return std::unexpected(checked.error());
    }
    constexpr int kMended = 1 | 2;  // 2 asks for a reboot of a mounted file system, which this one is not
    if ((checked->status & ~kMended) != 0) {
        return failure(concat("The data disk ", device.path(),
                              " is damaged and cannot be mended without a choice (e2fsck -p ended "
                              "with ",
                              checked->status, "): ", trim(checked->output),
                              " Run e2fsck on it from another system, or restore it from a copy."));
    }
    console.line(
        concat("disk     checked in ", duration_text(now() - start), checked->status != 0 ? ", errors mended" : ""));
    return {};
}

/// A disk that was made larger since its format: the kernel grows the mounted file system.
void grow(Console& console, const BlockDevice& device, const std::string& target) {
    const std::uint64_t blocks = data_blocks(device);
    if (blocks * kDataBlock < device.content.size + kWorthGrowing) {
        return;
    }
    auto fd = open_file(target, O_RDONLY | O_DIRECTORY);
    if (!fd || ::ioctl(fd->get(), static_cast<int>(kResizeRequest), &blocks) != 0) {
        console.line(concat("disk     ", device.path(), " has grown, but its file system could not: ",
                            fd ? system_error("grow", target).error().message : fd.error().message));
        return;
    }
    console.line(
        concat("disk     grown from ", mebibytes(device.content.size), " to ", mebibytes(blocks * kDataBlock)));
}

Status mount_tmpfs(const std::string& target) {
    if (::mount("tmpfs", target.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=50%") != 0) {
        return system_error("mount a file system in memory at", target);
    }
    return {};
}

Status mount_without_disk(Console& console, const std::string& target, const std::string& seen) {
    console.line("disk     no data disk: /var is in memory, and this node forgets all when it goes down");
    if (!seen.empty()) {
        console.line(concat("disk     a blank disk, or one with the name thole-data, would be taken; ", seen));
    }
    return mount_tmpfs(target);
}

}  // namespace

Status mount_data_in_memory(Console& console, const std::string& target) {
    console.line("disk     node.data = memory: no disk is used, and this node forgets all when it goes down");
    return mount_tmpfs(target);
}

Status mount_data_disk(Console& console, const std::string& target) {
    auto devices = devices_with_content();
    auto choice = choose_data_disk(devices);
    if (choice.action == DiskAction::stop) {
        return failure(std::move(choice.message));
    }
    // Before the disk is written: that notes the time.
    raise_clock(console, choice.action == DiskAction::use ? devices[choice.device].content.written : 0);
    if (choice.action == DiskAction::none) {
        return mount_without_disk(console, target, choice.message);
    }
    BlockDevice& device = devices[choice.device];
    if (device.label == kDataLabel) {
        grow_partition(console, device);
    }
    Status ready;
    if (choice.action == DiskAction::format) {
        ready = format(console, device);
    } else if (!device.content.clean) {
        ready = check(console, device);
    }
    if (!ready) {
        return ready;
    }
    if (::mount(device.path().c_str(), target.c_str(), "ext4", MS_NOATIME, nullptr) != 0) {
        return system_error("mount the data disk", device.path());
    }
    grow(console, device, target);
    return {};
}

}  // namespace thole
