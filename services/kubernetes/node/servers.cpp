#include "servers.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace thole::kubernetes {

namespace {

bool is_wanted(const std::vector<std::string_view>& line, const std::vector<std::string_view>& wanted) {
    constexpr std::size_t kRoles = 3;
    if (wanted.empty()) {
        return std::ranges::count(split(line[kRoles], ','), kServerRole) > 0;
    }
    return std::ranges::any_of(
        wanted, [&](std::string_view one) { return one == line[0] || one == line[1] || one == line[2]; });
}

}  // namespace

std::vector<Address> server_addresses(std::string_view mesh_nodes, const std::vector<std::string_view>& wanted) {
    constexpr std::size_t kFields = 5;
    std::vector<Address> found;
    for (const auto text : split(mesh_nodes, '\n')) {
        const auto line = split_words(text);
        if (line.size() < kFields || !is_wanted(line, wanted)) {
            continue;
        }
        const auto ipv4 = parse_address(line[1]);
        const auto address = ipv4 ? ipv4 : parse_address(line[2]);
        if (address) {
            found.push_back(*address);
        }
    }
    return found;
}

}  // namespace thole::kubernetes
