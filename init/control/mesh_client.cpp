#include "control/mesh_client.hpp"

#include <cerrno>

#include "base/text.hpp"
#include "control/client.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

constexpr const char* kSocket = "/run/thole/mesh";
constexpr const char* kEnvironment = "/run/thole/node.env";

}  // namespace

Result<std::string> ask_mesh(std::string_view request) {
    auto answer = ask_pid1(request, kSocket);
    if (answer || answer.error().code == 0) {
        return answer;
    }
    const int code = answer.error().code;
    if (code == ENOENT || code == ECONNREFUSED) {
        return failure(
            "no mesh runs on this node: `thole status mesh` says why; without mesh.cluster in node.ini it has none");
    }
    return system_error("reach the mesh's daemon at", kSocket, code);
}

std::string_view MeshLine::text(std::string_view name) const {
    for (const auto part : split(line_, '\t')) {
        if (part.size() > name.size() && part.starts_with(name) && part[name.size()] == '=') {
            return part.substr(name.size() + 1);
        }
    }
    return {};
}

std::int64_t MeshLine::number(std::string_view name) const {
    return parse_integer(text(name), -1, INT64_MAX).value_or(-1);
}

std::vector<MeshLine> mesh_lines(std::string_view answer) {
    std::vector<MeshLine> lines;
    for (const auto line : split(answer, '\n')) {
        if (!line.empty()) {
            lines.emplace_back(line);
        }
    }
    return lines;
}

std::string node_address() {
    const std::string environment = read_file(kEnvironment).value_or(std::string());
    return std::string(info_value(environment, "NODE_ADDRESS"));
}

}  // namespace thole
