#include "interfaces.hpp"

#include <cstdint>
#include <utility>

#include "base/text.hpp"
#include "os/file.hpp"

namespace thole {

std::vector<std::string> hardware_interfaces(const std::string& sys) {
    std::vector<std::pair<std::int64_t, std::string>> found;
    const auto names = list_directory(sys + "/class/net");
    for (const std::string& name : names.value_or(std::vector<std::string>())) {
        const std::string directory = concat(sys, "/class/net/", name);
        if (!path_exists(directory + "/device")) {
            continue;
        }
        const auto text = read_file(directory + "/ifindex");
        const std::int64_t index = parse_integer(trim(text.value_or("")), 0, INT32_MAX).value_or(INT32_MAX);
        auto place = found.begin();
        while (place != found.end() && place->first <= index) {
            ++place;
        }
        found.insert(place, {index, name});
    }
    std::vector<std::string> interfaces;
    for (auto& [index, name] : found) {
        interfaces.push_back(std::move(name));
    }
    return interfaces;
}

}  // namespace thole
