// The names of kernel images on the ESP, with how often systemd-boot still tries them (systemd, "Automatic Boot
// Assessment"). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace thole::upgrade {

inline constexpr unsigned kTries = 3;

struct Entry {
    std::string version;
    std::optional<unsigned> left;  // none: it is not counted
    unsigned done = 0;

    /// systemd-boot passes it over while there is another.
    [[nodiscard]] bool given_up() const { return left == 0U; }
};

/// Of a file in EFI/Linux: thole-VERSION[+LEFT[-DONE]].efi. Nothing for other files.
std::optional<Entry> parse_entry(std::string_view file_name);

std::string file_name(const Entry& entry);

/// The file of that version; empty where there is none.
std::string find_version(const std::vector<std::string>& files, std::string_view version);

/// The newest version that is not `version` and not given up; empty where there is none.
std::string other_version(const std::vector<std::string>& files, std::string_view version);

}  // namespace thole::upgrade
