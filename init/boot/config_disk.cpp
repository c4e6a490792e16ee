#include "boot/config_disk.hpp"

#include "base/text.hpp"
#include "boot/config_medium.hpp"
#include "config/sources.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

constexpr std::string_view kSeedLabel = "cidata";

/// None, or one: of two nobody can say which is this node's.
Result<const ConfigMedium*> one_at_most(const std::vector<ConfigMedium>& media, std::string_view label) {
    const ConfigMedium* found = nullptr;
    for (const ConfigMedium& medium : media) {
        if (!medium.has_label(label)) {
            continue;
        }
        if (found != nullptr) {
            return failure(concat(found->device.path(), " and ", medium.device.path(), " both have the label ", label,
                                  ". Nothing was changed. Remove the one that belongs to another node."));
        }
        found = &medium;
    }
    return found;
}

Status keep(std::string_view place, std::string_view text) { return replace_file(std::string(place), text, 0600); }

Status take_config_disk(Console& console, const std::vector<ConfigMedium>& media) {
    const auto medium = one_at_most(media, kConfigLabel);
    if (!medium || *medium == nullptr) {
        return medium ? Status() : std::unexpected(medium.error());
    }
    const std::string path = (*medium)->device.path();
    const auto taken = with_medium(**medium, [](const auto& read) {
        const auto text = read("node.ini");
        return text ? keep(kConfigDiskCopy, *text) : Status(std::unexpected(text.error()));
    });
    if (!taken) {
        return failure(concat("The config disk ", path, " cannot be read, and nothing was changed: ",
                              taken.error().message, ". It needs a file node.ini at its root."));
    }
    console.line(concat("config   node.ini of the config disk ", path));
    return {};
}

Status take_seed(Console& console, const std::vector<ConfigMedium>& media) {
    const auto medium = one_at_most(media, kSeedLabel);
    if (!medium || *medium == nullptr) {
        return medium ? Status() : std::unexpected(medium.error());
    }
    const std::string path = (*medium)->device.path();
    std::string user_data;
    std::string name;
    const auto taken = with_medium(**medium, [&](const auto& read) {
        user_data = read("user-data").value_or("");
        name = seed_name(read("meta-data").value_or(""));
        return Status();
    });
    if (!taken) {
        return failure(concat("The seed ", path, " cannot be read, and nothing was changed: ", taken.error().message));
    }
    const bool ours = is_node_ini(user_data);
    console.line(concat("config   ", ours ? "user-data" : "no node.ini in the user-data", " of the seed ", path,
                        name.empty() ? "" : ", its name ", name));
    if (auto kept = ours ? keep(kSeedCopy, user_data) : Status(); !kept) {
        return kept;
    }
    return name.empty() ? Status() : keep(kSeedNameCopy, concat("[node]\nname = ", name, "\n"));
}

}  // namespace

bool is_node_ini(std::string_view user_data) {
    for (const auto line : split(user_data, '\n')) {
        const auto text = trim(line);
        if (!text.empty() && !text.starts_with('#') && !text.starts_with(';')) {
            return text.starts_with('[');
        }
    }
    return false;
}

std::string seed_name(std::string_view meta_data) {
    constexpr std::string_view kName = "local-hostname:";
    for (const auto line : split(meta_data, '\n')) {
        if (line.starts_with(kName)) {
            auto name = trim(line.substr(kName.size()));
            if (name.size() > 1 && (name.front() == '"' || name.front() == '\'') && name.back() == name.front()) {
                name = name.substr(1, name.size() - 2);
            }
            return std::string(name.substr(0, name.find('.')));
        }
    }
    return {};
}

Status take_config_media(Console& console) {
    const auto media = read_media();
    if (auto taken = take_config_disk(console, media); !taken) {
        return taken;
    }
    return take_seed(console, media);
}

}  // namespace thole
