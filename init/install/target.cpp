#include "install/target.hpp"

#include "base/text.hpp"

namespace thole::install {

namespace {

bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }

bool is_on(const BlockDevice& partition, const BlockDevice& disk) {
    if (!partition.partition || !partition.name.starts_with(disk.name) || partition.name.size() == disk.name.size()) {
        return false;
    }
    // sda is no part of sdaa1's disk.
    const std::string_view rest = std::string_view(partition.name).substr(disk.name.size());
    return is_digit(disk.name.back()) ? rest.front() == 'p' : is_digit(rest.front());
}

bool holds_live_image(const std::vector<BlockDevice>& devices, const BlockDevice& disk) {
    for (const BlockDevice& device : devices) {
        if (is_on(device, disk) && device.label == kLiveLabel) {
            return true;
        }
    }
    return disk.root;
}

std::string all_disks(const std::vector<BlockDevice>& devices) {
    std::string text;
    for (const BlockDevice& device : devices) {
        if (!device.partition) {
            append(text, "\n  ", describe(devices, device));
        }
    }
    return text.empty() ? " This machine has no disk." : concat(" This machine has:", text);
}

}  // namespace

Result<BlockDevice> choose_disk(const std::vector<BlockDevice>& devices, std::string_view wanted) {
    std::vector<const BlockDevice*> found;
    const std::string_view name = wanted.starts_with("/dev/") ? wanted.substr(5) : wanted;
    for (const BlockDevice& device : devices) {
        const bool meant = wanted == "auto" ? !holds_live_image(devices, device)
                                            : device.name == name || (!device.label.empty() && device.label == wanted);
        if (!device.partition && meant) {
            found.push_back(&device);
        }
    }
    if (found.size() == 1 && holds_live_image(devices, *found.front())) {
        return failure(concat(found.front()->path(), " is what this node was started from"));
    }
    if (found.size() == 1) {
        return *found.front();
    }
    if (wanted == "auto") {
        return failure(concat(found.empty() ? "there is no disk to install to." : "there are several disks: say which.",
                              all_disks(devices)));
    }
    return failure(
        concat(found.empty() ? "there is no disk '" : "there are several disks '", wanted, "'.", all_disks(devices)));
}

std::string contents_of(const std::vector<BlockDevice>& devices, const BlockDevice& disk) {
    std::string names;
    int count = 0;
    for (const BlockDevice& device : devices) {
        if (is_on(device, disk)) {
            append(names, count++ == 0 ? "" : ", ", device.label.empty() ? device.name : device.label);
        }
    }
    if (count > 0) {
        return concat(count, count == 1 ? " partition: " : " partitions: ", names);
    }
    return disk.content.kind == ContentKind::blank ? "nothing" : disk.content.what;
}

std::string describe(const std::vector<BlockDevice>& devices, const BlockDevice& disk) {
    return concat(disk.path(), ", ", disk.size >> 20U, " MiB", disk.label.empty() ? "" : ", serial number ", disk.label,
                  ", holds ", contents_of(devices, disk));
}

bool is_blank(const BlockDevice& disk) { return !disk.partitioned && disk.content.kind == ContentKind::blank; }

std::string partition_name(std::string_view disk, unsigned number) {
    return concat(disk, !disk.empty() && is_digit(disk.back()) ? "p" : "", number);
}

}  // namespace thole::install
