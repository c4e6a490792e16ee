#include "install/parts.hpp"

#include "base/text.hpp"
#include "boot/live_root.hpp"
#include "os/file.hpp"

namespace thole::install {

namespace {

constexpr std::string_view kHeaderPart = "header";

}  // namespace

std::string part_path(std::string_view part) { return concat(kLiveFolder, "/", part); }

Result<Parts> live_parts() {
    if (!path_exists(std::string(kLiveFolder))) {
        return failure(
            "this node was not started from a live image, so it has nothing to install: start the machine from what "
            "`./thole build --format live` makes. A node on a disk gets a later version by `thole upgrade`");
    }
    auto text = read_file(part_path(kHeaderPart));
    if (!text) {
        return std::unexpected(text.error());
    }
    Parts parts;
    parts.header = std::move(*text);
    auto bundle = upgrade::parse_bundle(parts.header);
    if (!bundle) {
        return with_context(part_path(kHeaderPart), bundle.error());
    }
    parts.bundle = std::move(*bundle);
    return parts;
}

}  // namespace thole::install
