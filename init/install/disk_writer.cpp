#include "install/disk_writer.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "base/text.hpp"
#include "boot/data_format.hpp"
#include "boot/partition_new.hpp"
#include "boot/program.hpp"
#include "control/commands.hpp"
#include "install/target.hpp"
#include "os/file.hpp"
#include "upgrade/entries.hpp"
#include "upgrade/esp.hpp"
#include "upgrade/write.hpp"

namespace thole::install {

namespace {

constexpr std::uint64_t kMib = std::uint64_t{1} << 20U;
constexpr std::uint64_t kEspSize = 128 * kMib;
constexpr std::uint64_t kSmallestRoot = 64 * kMib;
constexpr std::uint64_t kSmallestData = 256 * kMib;
constexpr unsigned kEsp = 1;
constexpr unsigned kRoot = 2;
constexpr unsigned kOtherRoot = 3;
constexpr unsigned kData = 4;
constexpr std::string_view kEnrolment = "loader/keys/auto";  // systemd-boot(7)
constexpr std::string_view kStage = "/run/thole/install";

std::uint64_t root_size(const Parts& parts) {
    const std::uint64_t size = parts.bundle.root.size;
    return std::max(kSmallestRoot, (size + size / 2 + kMib - 1) / kMib * kMib);
}

Result<std::string> new_guid() {
    std::string random(16, '\0');
    if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size())) {
        return system_error("get random bytes for", "an identifier");
    }
    return guid_of(random);
}

/// The architecture's name for UEFI's standard path, and its type of root partition.
struct Architecture {
    std::string_view loader;
    std::string_view root;
};

Architecture architecture_of(std::string_view machine) {
    return machine == "aarch64" ? Architecture{"BOOTAA64.EFI", kRootArmType}
                                : Architecture{"BOOTX64.EFI", kRootX86Type};
}

Result<NewTable> table_for(const BlockDevice& disk, const Parts& parts) {
    std::array<std::string, 5> guids;
    for (std::string& guid : guids) {
        auto drawn = new_guid();
        if (!drawn) {
            return std::unexpected(drawn.error());
        }
        guid = std::move(*drawn);
    }
    const auto root = architecture_of(parts.bundle.architecture).root;
    const std::array partitions{
        NewPartition{"thole-esp", kEspType, guids[0], kEspSize},
        NewPartition{"thole-root-a", root, parts.bundle.partition, root_size(parts)},
        NewPartition{"thole-root-b", root, guids[1], root_size(parts)},
        NewPartition{"thole-data", kLinuxType, guids[2], 0},
    };
    return new_partition_table(partitions, disk.size, guids[3]);
}

Status write_at(const Fd& fd, std::string_view bytes, std::uint64_t at, const std::string& name) {
    for (std::size_t done = 0; done < bytes.size();) {
        const ssize_t count =
            ::pwrite(fd.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(at + done));
        if (count <= 0) {
            return system_error("write", name);
        }
        done += static_cast<std::size_t>(count);
    }
    return {};
}

/// The table, where signatures of what was there before cannot be found any more, and known to the kernel.
Status write_table(const BlockDevice& disk, const NewTable& table) {
    const auto fd = open_file(disk.path(), O_RDWR | O_EXCL);
    if (!fd) {
        return failure(concat(fd.error().message, ": something uses it; it was not touched"));
    }
    std::string start(kMib, '\0');
    start.replace(0, table.start.size(), table.start);
    std::string end(kMib, '\0');
    const std::uint64_t end_at = disk.size - kMib;
    end.replace(static_cast<std::size_t>(table.backup_at - end_at), table.backup.size(), table.backup);
    if (auto written = write_at(*fd, end, end_at, disk.path()); !written) {
        return written;
    }
    if (auto written = write_at(*fd, start, 0, disk.path()); !written) {
        return written;
    }
    if (::fsync(fd->get()) != 0) {
        return system_error("write", disk.path());
    }
    return ::ioctl(fd->get(), BLKRRPART) == 0 ? Status() : system_error("read the new partition table of", disk.path());
}

BlockDevice partition_of(const BlockDevice& disk, unsigned number) {
    BlockDevice partition;
    partition.name = partition_name(disk.name, number);
    partition.partition = true;
    return partition;
}

Status clear_start(const BlockDevice& partition) {
    const auto fd = open_file(partition.path(), O_RDWR | O_EXCL);
    if (!fd) {
        return std::unexpected(fd.error());
    }
    if (auto written = write_at(*fd, std::string(kMib, '\0'), 0, partition.path()); !written) {
        return written;
    }
    return ::fsync(fd->get()) == 0 ? Status() : system_error("write", partition.path());
}

Status run(const std::vector<std::string>& command) {
    const auto done = run_program(command);
    if (!done) {
        return std::unexpected(done.error());
    }
    return done->status == 0 ? Status()
                             : failure(concat(command.front(), " ended with ", done->status, ": ", trim(done->output)));
}

upgrade::Say silently() {
    return [](std::uint64_t, std::uint64_t) {};
}

Status write_root(const BlockDevice& disk, const Parts& parts) {
    const auto source = open_file(part_path(kRootPart), O_RDONLY);
    if (!source) {
        return std::unexpected(source.error());
    }
    print("root file system ...\n");
    return upgrade::write_part(*source, 0, parts.bundle.root, partition_of(disk, kRoot).path(), O_EXCL, silently());
}

Status copy_small(const std::string& from, const std::string& to) {
    const auto bytes = read_file(from, 4 * kMib);
    return bytes ? replace_file(to, *bytes, 0600) : std::unexpected(bytes.error());
}

/// What systemd-boot enrols for Secure Boot, where the image has it.
Status copy_keys(const upgrade::Esp& esp) {
    if (!path_exists(part_path(kKeysPart))) {
        return {};
    }
    const auto names = list_directory(part_path(kKeysPart));
    auto done = names ? make_directories(esp.path(kEnrolment)) : std::unexpected(names.error());
    for (std::size_t index = 0; done && index < names->size(); ++index) {
        const std::string& name = (*names)[index];
        done = copy_small(concat(part_path(kKeysPart), "/", name), esp.path(concat(kEnrolment, "/", name)));
    }
    return done;
}

/// The kernel image comes last: without it nothing boots.
Status write_esp(const BlockDevice& disk, const Parts& parts) {
    const std::string device = partition_of(disk, kEsp).path();
    print("boot loader and kernel ...\n");
    if (auto made = run({"/usr/sbin/mkfs.fat", "-F", "32", "-n", "THOLE-ESP", device}); !made) {
        return made;
    }
    const auto esp = upgrade::Esp::mount(device);
    if (!esp) {
        return std::unexpected(esp.error());
    }
    for (const std::string_view folder : {"EFI/BOOT", "EFI/Linux", "loader"}) {
        if (auto made = make_directories(esp->path(folder)); !made) {
            return made;
        }
    }
    const auto loader = architecture_of(parts.bundle.architecture).loader;
    if (auto copied = copy_small(part_path(kLoaderPart), esp->path(concat("EFI/BOOT/", loader))); !copied) {
        return copied;
    }
    if (auto copied = copy_small(part_path(kLoaderSettingsPart), esp->path("loader/loader.conf")); !copied) {
        return copied;
    }
    if (auto copied = copy_keys(*esp); !copied) {
        return copied;
    }
    const auto source = open_file(part_path(kKernelPart), O_RDONLY);
    if (!source) {
        return std::unexpected(source.error());
    }
    const std::string name = upgrade::file_name({parts.bundle.version, upgrade::kTries, 0});
    if (auto written =
            upgrade::write_part(*source, 0, parts.bundle.kernel, esp->path_of(name), O_CREAT | O_TRUNC, silently());
        !written) {
        return written;
    }
    return esp->sync();
}

Result<BlockDevice> data_partition(const BlockDevice& disk) {
    const std::string wanted = partition_name(disk.name, kData);
    for (BlockDevice& device : list_block_devices("/sys", "")) {
        if (device.name == wanted) {
            return std::move(device);
        }
    }
    return failure(concat("the kernel does not show the new partition ", wanted));
}

/// With node.ini in it, for root alone.
Status write_data(const BlockDevice& disk, const std::string& node_file) {
    print("data ...\n");
    const auto partition = data_partition(disk);
    if (!partition) {
        return std::unexpected(partition.error());
    }
    const std::string folder = concat(kStage, "/lib/thole");
    if (auto made = make_directories(folder); !made) {
        return made;
    }
    const std::string file = folder + "/node.ini";
    auto done = replace_file(file, node_file, 0600);
    if (done) {
        done = make_data_file_system(*partition, std::string(kStage));
    }
    ::unlink(file.c_str());
    return done;
}

}  // namespace

std::uint64_t smallest_disk(const Parts& parts) { return kEspSize + 2 * root_size(parts) + kSmallestData + 2 * kMib; }

Status write_disk(const BlockDevice& disk, const Parts& parts, const std::string& node_file) {
    if (disk.size < smallest_disk(parts)) {
        return failure(concat(disk.path(), " has ", disk.size / kMib, " MiB, and ", smallest_disk(parts) / kMib,
                              " MiB are needed; it was not touched"));
    }
    const auto table = table_for(disk, parts);
    if (!table) {
        return std::unexpected(table.error());
    }
    if (auto written = write_table(disk, *table); !written) {
        return written;
    }
    if (auto cleared = clear_start(partition_of(disk, kOtherRoot)); !cleared) {
        return cleared;
    }
    if (auto written = write_data(disk, node_file); !written) {
        return written;
    }
    if (auto written = write_root(disk, parts); !written) {
        return written;
    }
    return write_esp(disk, parts);
}

}  // namespace thole::install
