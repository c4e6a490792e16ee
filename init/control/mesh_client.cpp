#include "control/mesh_client.hpp"

#include <cerrno>

#include "base/text.hpp"
#include "control/client.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

constexpr const char* kSocket = "/run/thole/mesh";
constexpr const char* kEnvironment = "/run/thole/node.env";

/// The value of a tab-separated NAME=VALUE field.
std::string field(std::string_view line, std::string_view name) {
    for (const auto part : split(line, '\t')) {
        if (part.size() > name.size() && part.starts_with(name) && part[name.size()] == '=') {
            return std::string(part.substr(name.size() + 1));
        }
    }
    return {};
}

std::int64_t number(std::string_view line, std::string_view name) {
    return parse_integer(field(line, name), -1, INT64_MAX).value_or(-1);
}

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines = split(text, '\n');
    std::erase(lines, std::string_view());
    return lines;
}

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

std::vector<MeshPeer> parse_mesh_peers(std::string_view text) {
    std::vector<MeshPeer> peers;
    for (const auto line : lines_of(text)) {
        peers.push_back({.name = field(line, "name"),
                         .key = field(line, "key"),
                         .fingerprint = field(line, "fingerprint"),
                         .ipv4 = field(line, "ipv4"),
                         .ipv6 = field(line, "ipv6"),
                         .endpoint = field(line, "endpoint"),
                         .state = field(line, "state"),
                         .roles = field(line, "roles"),
                         .handshake = number(line, "handshake"),
                         .sent = number(line, "sent"),
                         .received = number(line, "received")});
    }
    return peers;
}

Result<std::vector<MeshPeer>> ask_mesh_peers() {
    const auto answer = ask_mesh("peers");
    if (!answer) {
        return std::unexpected(answer.error());
    }
    return parse_mesh_peers(*answer);
}

Result<std::vector<MeshDifference>> ask_mesh_differences() {
    const auto answer = ask_mesh("differences");
    if (!answer) {
        return std::unexpected(answer.error());
    }
    std::vector<MeshDifference> differences;
    for (const auto line : lines_of(*answer)) {
        differences.push_back({field(line, "what"), field(line, "wanted"), field(line, "actual")});
    }
    return differences;
}

std::string node_address() {
    const std::string environment = read_file(kEnvironment).value_or(std::string());
    return std::string(info_value(environment, "NODE_ADDRESS"));
}

}  // namespace thole
