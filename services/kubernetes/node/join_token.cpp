#include "join_token.hpp"

#include "base/text.hpp"
#include "secret_store.hpp"

namespace thole::kubernetes {

namespace {

constexpr std::size_t kIdSize = 6;
constexpr std::size_t kSecretSize = 16;

/// Letters and digits of a key's bytes. 36 does not divide 256: some letters come up a seventh more often, which takes
/// less than a bit from the 82 of the secret.
std::string letters_of(const mesh::Secret& key, std::size_t count) {
    constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz0123456789";
    std::string text;
    for (std::size_t at = 0; at < count; ++at) {
        text += kLetters[key.bytes()[at] % kLetters.size()];
    }
    return text;
}

/// A line for the secret in force and, while that changes, one for the one before; nothing where there is no mesh.
template <typename Made>
Result<std::string> line_for_each_secret(const NodeConfig& config, const std::string& mesh_folder, Made made) {
    if (config.text("mesh.cluster").empty()) {
        return std::string();
    }
    const auto secret = mesh::ClusterSecret::parse(config.text("mesh.secret"));
    if (!secret) {
        return with_context("mesh.secret", secret.error());
    }
    const auto in_force = mesh::choose_secret(mesh_folder, *secret);
    std::string lines = concat(made(in_force.secret), "\n");
    if (in_force.previous) {
        append(lines, made(*in_force.previous), "\n");
    }
    return lines;
}

}  // namespace

std::string join_token(const mesh::Secret& secret) {
    const mesh::Secret id = mesh::derive_key(secret, "thole kubernetes token id");
    const mesh::Secret rest = mesh::derive_key(secret, "thole kubernetes token");
    return concat(letters_of(id, kIdSize), ".", letters_of(rest, kSecretSize));
}

Result<std::string> join_tokens(const NodeConfig& config, const std::string& mesh_folder) {
    return line_for_each_secret(config, mesh_folder, join_token);
}

Result<std::string> server_keys(const NodeConfig& config, const std::string& mesh_folder) {
    return line_for_each_secret(config, mesh_folder, [](const mesh::Secret& secret) {
        return mesh::base64_text(mesh::derive_key(secret, "thole kubernetes servers").bytes());
    });
}

}  // namespace thole::kubernetes
