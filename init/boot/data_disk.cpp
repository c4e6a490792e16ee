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
#include "boot/encryption.hpp"
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

/// A file system at last: a new one, or the one that is there, mended where it has to be.
Status prepare(Console& console, BlockDevice& device) {
    if (device.content.kind != ContentKind::ours) {
        return format(console, device);
    }
    return device.content.clean ? Status() : check(console, device);
}

/// What is to be encrypted is never used without, and the other way round: who swaps the disk gains nothing.
Status check_encryption(const BlockDevice& device, const DataEncryption& encryption) {
    const std::string untouched = concat("The data disk ", device.path(), " was not touched. ");
    if (encryption.wanted && encryption.key.empty()) {
        return failure(concat(untouched,
                              "node.data-encryption is yes, and nothing says node.data-key: hand it over by SMBIOS, "
                              "fw_cfg, a medium that stays in the machine, or a URL."));
    }
    if (encryption.wanted && device.content.kind == ContentKind::ours) {
        return failure(concat(untouched,
                              "It is not encrypted, and node.data-encryption is yes. Attach a blank disk, or say no to "
                              "go on with this one."));
    }
    if (!encryption.wanted && device.content.kind == ContentKind::locked) {
        return failure(concat(untouched, "It is encrypted: set node.data-encryption = yes and node.data-key."));
    }
    return {};
}

/// Opens the disk, after it has become an encrypted one where it is new. Until the format of what is in it has begun
/// and has a marker of its own, which lies in the same place, the disk's marker says that all begins again.
Result<BlockDevice> open_encrypted(Console& console, const BlockDevice& device, std::string_view key) {
    const Instant start = now();
    const bool made = device.content.kind == ContentKind::locked;
    if (!made) {
        if (auto marked = write_marker(device, kFormatMarker); !marked) {
            return std::unexpected(marked.error());
        }
        if (auto encrypted = encrypt_device(device, key); !encrypted) {
            return std::unexpected(encrypted.error());
        }
    }
    auto opened = unlock_device(device, key);
    if (!opened) {
        return opened;
    }
    console.line(concat("disk     ", device.path(), made ? " is encrypted: opened in " : " encrypted and opened in ",
                        duration_text(now() - start)));
    if (made && opened->content.kind == ContentKind::foreign) {
        return failure(concat("The encrypted data disk ", device.path(), " holds ", opened->content.what,
                              " and no data file system. It was not touched. Restore it from a copy, or attach a blank "
                              "disk."));
    }
    const auto whole = check_whole(*opened);
    return whole ? std::move(opened) : std::unexpected(whole.error());
}

}  // namespace

Status mount_data_in_memory(Console& console, const std::string& target) {
    console.line("disk     node.data = memory: no disk is used, and this node forgets all when it goes down");
    return mount_tmpfs(target);
}

Status mount_data_disk(Console& console, const std::string& target, const DataEncryption& encryption) {
    const auto devices = devices_with_content();
    auto choice = choose_data_disk(devices);
    if (choice.action == DiskAction::stop) {
        return failure(std::move(choice.message));
    }
    if (choice.action == DiskAction::none) {
        raise_clock(console, 0);
        return mount_without_disk(console, target, choice.message);
    }
    BlockDevice device = devices[choice.device];
    if (auto allowed = check_encryption(device, encryption); !allowed) {
        return allowed;
    }
    if (device.label == kDataLabel) {
        grow_partition(console, device);
    }
    if (encryption.wanted) {
        auto opened = open_encrypted(console, device, encryption.key);
        if (!opened) {
            return std::unexpected(opened.error());
        }
        device = std::move(*opened);
    }
    // Before the disk is written: that notes the time.
    raise_clock(console, device.content.written);
    if (auto prepared = prepare(console, device); !prepared) {
        return prepared;
    }
    if (::mount(device.path().c_str(), target.c_str(), "ext4", MS_NOATIME, nullptr) != 0) {
        return system_error("mount the data disk", device.path());
    }
    grow(console, device, target);
    return {};
}

}  // namespace thole
