// LUKS2 below the data disk's file system, by cryptsetup. The key is 32 random bytes in base64, as `node.data-key` has
// it.
#pragma once

#include <string_view>

#include "base/error.hpp"
#include "boot/block.hpp"

namespace thole {

/// Puts a LUKS2 header with the label thole-data on the device. What is on it is lost.
Status encrypt_device(const BlockDevice& device, std::string_view key);

/// Opens a device that encrypt_device() has made; the one that is read and written from then on, with what lies on it.
Result<BlockDevice> unlock_device(const BlockDevice& device, std::string_view key);

}  // namespace thole
