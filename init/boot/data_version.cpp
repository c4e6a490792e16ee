#include "boot/data_version.hpp"

#include <limits>

#include "base/text.hpp"
#include "os/file.hpp"

namespace thole {

Status check_data_version(const std::string& path) {
    const std::string current = concat(kDataFormat, "\n");
    if (!path_exists(path)) {
        return replace_file(path, current, 0644);
    }
    const auto text = read_file(path);
    if (!text) {
        return std::unexpected(text.error());
    }
    const auto found = parse_integer(trim(*text), 1, std::numeric_limits<std::int64_t>::max());
    if (!found) {
        return failure(
            concat(path, " says '", trim(*text), "' where the form of this disk's data should stand: a number"));
    }
    if (*found > kDataFormat) {
        return failure(concat("This disk's data has the form ", *found, ", and this version reads forms up to ",
                              kDataFormat,
                              ". It was not touched. Start the newer version that wrote it, or attach a blank disk."));
    }
    return *found == kDataFormat ? Status() : replace_file(path, current, 0644);
}

}  // namespace thole
