#include "boot/disk_choice.hpp"

#include "base/text.hpp"

namespace thole {

namespace {

using Indexes = std::vector<std::size_t>;

template <typename Wanted>
Indexes indexes_of(const std::vector<BlockDevice>& devices, Wanted wanted) {
    Indexes found;
    for (std::size_t index = 0; index < devices.size(); ++index) {
        const BlockDevice& device = devices[index];
        const bool usable = !device.partitioned && !device.root;
        if (usable && wanted(device)) {
            found.push_back(index);
        }
    }
    return found;
}

std::string paths(const std::vector<BlockDevice>& devices, const Indexes& which) {
    std::string out;
    for (const std::size_t index : which) {
        out += concat(out.empty() ? "" : " and ", devices[index].path());
    }
    return out;
}

DiskChoice stop(std::string message) { return {DiskAction::stop, 0, std::move(message)}; }

/// One device is chosen; of several none, because nobody can say which one is meant.
DiskChoice choose_one(const std::vector<BlockDevice>& devices, const Indexes& found, DiskAction action,
                      std::string_view are, std::string_view remedy) {
    if (found.size() == 1) {
        return {action, found.front(), {}};
    }
    return stop(concat(paths(devices, found), " ", are,
                       ", and only one can be the node's data disk. None was touched. ", remedy));
}

DiskChoice foreign_data_disk(const BlockDevice& device, std::string_view what) {
    return stop(concat(
        "The data disk ", device.path(), device.partition ? " (partition " : " (serial ", kDataLabel, ") holds ", what,
        ". It was not touched. Attach a blank disk, or erase this one (wipefs --all) if nothing on it is needed."));
}

DiskChoice check_size(const std::vector<BlockDevice>& devices, DiskChoice choice) {
    const BlockDevice& device = devices[choice.device];
    if (choice.action == DiskAction::format && device.size < kSmallestDataDisk) {
        return stop(concat("The data disk ", device.path(), " has ", device.size >> 20U,
                           " MiB. It was not touched. It needs ", kSmallestDataDisk >> 20U, " MiB at least."));
    }
    if (auto whole = check_whole(device); choice.action == DiskAction::use && !whole) {
        return stop(std::move(whole.error().message));
    }
    return choice;
}

/// What the person finds on the console of a node that has disks but none for its data.
DiskChoice no_data_disk(const std::vector<BlockDevice>& devices) {
    std::string seen;
    for (const BlockDevice& device : devices) {
        if (!device.root && !device.partitioned) {
            seen += concat(seen.empty() ? "" : ", ", device.path(), " holds ", device.content.what);
        }
    }
    return {DiskAction::none, 0, std::move(seen)};
}

}  // namespace

Status check_whole(const BlockDevice& device) {
    if (device.content.size <= device.size) {
        return {};
    }
    return failure(concat("The data disk ", device.path(), " was cut short: it has ", device.size >> 20U,
                          " MiB, its file system ", device.content.size >> 20U,
                          " MiB. It was not touched. Restore the whole disk or attach a blank one."));
}

DiskChoice choose_data_disk(const std::vector<BlockDevice>& devices) {
    const auto ours = indexes_of(devices, [](const BlockDevice& device) {
        return device.content.kind == ContentKind::ours || device.content.kind == ContentKind::locked;
    });
    if (!ours.empty()) {
        const auto choice = choose_one(devices, ours, DiskAction::use, "both have the label thole-data",
                                       "Remove those that belong to other nodes.");
        return check_size(devices, choice);
    }
    const auto cut =
        indexes_of(devices, [](const BlockDevice& device) { return device.content.kind == ContentKind::interrupted; });
    if (!cut.empty()) {
        return choose_one(devices, cut, DiskAction::format, "were both being formatted when power was cut",
                          "Remove one of them.");
    }
    const auto named = indexes_of(devices, [](const BlockDevice& device) { return device.label == kDataLabel; });
    for (const std::size_t index : named) {
        if (devices[index].content.kind == ContentKind::foreign) {
            return foreign_data_disk(devices[index], devices[index].content.what);
        }
    }
    // A whole disk that is meant for the data but carries other partitions is no blank disk, and no "none" either.
    for (const BlockDevice& device : devices) {
        if (named.empty() && device.partitioned && !device.root && device.label == kDataLabel) {
            return foreign_data_disk(device, "a partition table");
        }
    }
    if (!named.empty()) {
        return check_size(devices, choose_one(devices, named, DiskAction::format, "are both named thole-data and blank",
                                              "Remove one of them, or its name."));
    }
    const auto blank = indexes_of(devices, [](const BlockDevice& device) {
        return device.content.kind == ContentKind::blank && !device.partition && device.size >= kSmallestDataDisk;
    });
    if (blank.empty()) {
        return no_data_disk(devices);
    }
    return choose_one(devices, blank, DiskAction::format, "are blank",
                      "Give one the serial number thole-data, or a partition of that name.");
}

}  // namespace thole
