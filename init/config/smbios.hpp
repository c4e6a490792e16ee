// What a host or a maker put into the machine's tables for whoever boots there: SMBIOS' OEM strings (DMTF DSP0134, type
// 11). Pure.
#pragma once

#include <string_view>
#include <vector>

namespace thole {

/// The OEM strings in the table that Linux shows as /sys/firmware/dmi/tables/DMI. A table that is cut short gives those
/// before the cut.
std::vector<std::string_view> oem_strings(std::string_view table);

}  // namespace thole
