#include "boot/partition_grow.hpp"

#include <fcntl.h>
#include <linux/blkpg.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <cstdlib>
#include <string>

#include "base/text.hpp"
#include "boot/partition_table.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

constexpr std::uint64_t kWorth = std::uint64_t{64} << 20U;

struct Place {
    std::string disk;  // its path below /dev
    unsigned number = 0;
    std::uint64_t disk_size = 0;
};

/// sysfs has a partition's directory in its disk's.
Result<Place> place_of(const std::string& partition) {
    const std::string directory = concat("/sys/class/block/", partition);
    std::array<char, PATH_MAX> real{};
    if (::realpath(directory.c_str(), real.data()) == nullptr) {
        return system_error("look up", directory);
    }
    std::string_view parent(real.data());
    parent = parent.substr(0, parent.rfind('/'));
    const auto number = read_file(directory + "/partition");
    const auto sectors = read_file(concat(parent, "/size"));
    if (!number || !sectors) {
        return std::unexpected(number ? sectors.error() : number.error());
    }
    const auto which = parse_integer(trim(*number), 1, INT_MAX);
    const auto many = parse_integer(trim(*sectors), 1, INT64_MAX / static_cast<std::int64_t>(kGptSector));
    if (!which || !many) {
        return std::unexpected(which ? many.error() : which.error());
    }
    return Place{concat("/dev/", parent.substr(parent.rfind('/') + 1)), static_cast<unsigned>(*which),
                 static_cast<std::uint64_t>(*many) * kGptSector};
}

Status write_at(const Fd& disk, std::string_view bytes, std::uint64_t offset, const std::string& name) {
    if (::pwrite(disk.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset)) !=
            static_cast<ssize_t>(bytes.size()) ||
        ::fsync(disk.get()) != 0) {
        return system_error("write the partition table of", name);
    }
    return {};
}

/// The kernel read the table before it was changed. BLKPG_RESIZE_PARTITION, linux/blkpg.h.
Status tell_kernel(const Place& place, const ChangedTable& table) {
    const auto disk = open_file(place.disk, O_RDWR);
    if (!disk) {
        return std::unexpected(disk.error());
    }
    blkpg_partition partition{};
    partition.start = static_cast<long long>(table.start);
    partition.length = static_cast<long long>(table.size);
    partition.pno = static_cast<int>(place.number);
    blkpg_ioctl_arg request{};
    request.op = BLKPG_RESIZE_PARTITION;
    request.datalen = sizeof(partition);
    request.data = &partition;
    return ::ioctl(disk->get(), BLKPG, &request) == 0 ? Status() : system_error("resize a partition of", place.disk);
}

Result<bool> try_grow(BlockDevice& device) {
    const auto grown =
        change_partition_table(device.name, [](std::string_view start, unsigned number, std::uint64_t disk_size) {
            return grow_last_partition(start, number, disk_size, kWorth);
        });
    if (!grown || !*grown) {
        return grown ? Result<bool>(false) : std::unexpected(grown.error());
    }
    const auto place = place_of(device.name);
    if (!place) {
        return std::unexpected(place.error());
    }
    if (auto told = tell_kernel(*place, **grown); !told) {
        return std::unexpected(told.error());
    }
    device.size = (*grown)->size;
    return true;
}

}  // namespace

Result<std::optional<ChangedTable>> change_partition_table(const std::string& partition, const TableChange& change) {
    const auto place = place_of(partition);
    if (!place) {
        return std::unexpected(place.error());
    }
    const auto disk = open_file(place->disk, O_RDWR);
    if (!disk) {
        return std::unexpected(disk.error());
    }
    std::string start(kGptStart, '\0');
    if (::pread(disk->get(), start.data(), start.size(), 0) != static_cast<ssize_t>(start.size())) {
        return system_error("read the partition table of", place->disk);
    }
    auto changed = change(start, place->number, place->disk_size);
    if (!changed || !*changed) {
        return changed;
    }
    if (auto written = write_at(*disk, (*changed)->backup, (*changed)->backup_at, place->disk); !written) {
        return std::unexpected(written.error());
    }
    if (auto written = write_at(*disk, (*changed)->first, kGptSector, place->disk); !written) {
        return std::unexpected(written.error());
    }
    return changed;
}

void grow_partition(Console& console, BlockDevice& device) {
    if (!device.partition) {
        return;
    }
    const std::uint64_t before = device.size;
    const auto grown = try_grow(device);
    if (!grown) {
        console.line(
            concat("disk     ", device.path(), " does not grow to the end of its disk: ", grown.error().message));
    } else if (*grown) {
        console.line(concat("disk     partition ", device.path(), " grown from ", before >> 20U, " MiB to ",
                            device.size >> 20U, " MiB, the end of its disk"));
    }
}

}  // namespace thole
