// The machine's disks and partitions as sysfs shows them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "boot/content.hpp"

namespace thole {

struct BlockDevice {
    std::string name;  // as below /dev: vda, nvme0n1p2
    std::uint64_t size = 0;
    bool partition = false;
    bool partitioned = false;  // a disk with partitions on it
    bool root = false;         // "/" lies on it
    std::string label;         // a partition's name, else the serial number that the host or maker gave
    Content content;

    [[nodiscard]] std::string path() const { return "/dev/" + name; }
};

/// Disks and partitions that can hold data, without their content: no CD drives, no loop, RAM, mapper or read-only
/// devices. `sys` is where sysfs is mounted; `root_name` is the device that holds "/" (empty where it is none).
std::vector<BlockDevice> list_block_devices(const std::string& sys, const std::string& root_name);

/// The same, with CD drives and read-only devices: what a person can bring a configuration on.
std::vector<BlockDevice> list_readable_devices(const std::string& sys, const std::string& root_name);

/// This machine's list_block_devices() with what lies on those that can be written: a device that cannot be read counts
/// as foreign. Disks with partitions, and the one that holds "/", are not looked into.
std::vector<BlockDevice> devices_with_content();

/// The name of the device that holds "/", from `mountinfo`'s text: "vda1"; empty where it is not on a block device.
/// Below a device-mapper target it is the device under it.
std::string root_device(const std::string& sys, const std::string& mountinfo);

/// The first `size` bytes of a device; fewer where it is smaller.
Result<std::string> read_start(const BlockDevice& device, std::size_t size);

/// Reads both ends of a device and says what is there.
Result<Content> read_content(const BlockDevice& device);

}  // namespace thole
