#include "munge_key.hpp"

#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/text.hpp"
#include "os/accounts.hpp"
#include "os/file.hpp"
#include "secret_store.hpp"

namespace thole::slurm {

namespace {

std::string_view text_of(const mesh::Block& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Result<mesh::Secret> block_in(std::string_view text, const std::string& path) {
    mesh::Block bytes{};
    if (text.size() != bytes.size()) {
        return failure(
            concat(path, " has ", text.size(), " bytes and is no key: remove it, and the node makes another"));
    }
    std::ranges::copy(text, reinterpret_cast<char*>(bytes.data()));
    mesh::Secret key(bytes);
    mesh::wipe(bytes);
    return key;
}

/// A node without a mesh is a cluster of its own.
Result<mesh::Secret> own_key(const std::string& path) {
    const auto stored = read_file(path);
    if (stored) {
        return block_in(*stored, path);
    }
    if (stored.error().code != ENOENT) {
        return std::unexpected(stored.error());
    }
    mesh::Block bytes{};
    if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
        return system_error("get random numbers for", path);
    }
    mesh::Secret key(bytes);
    mesh::wipe(bytes);
    if (auto written = replace_file(path, text_of(key.bytes()), 0400); !written) {
        return std::unexpected(written.error());
    }
    return key;
}

}  // namespace

Result<mesh::Secret> munge_key(const NodeConfig& config, const std::string& mesh_folder, const std::string& own_file) {
    if (config.text("mesh.cluster").empty()) {
        return own_key(own_file);
    }
    const auto secret = mesh::ClusterSecret::parse(config.text("mesh.secret"));
    if (!secret) {
        return with_context("mesh.secret", secret.error());
    }
    const auto in_force = mesh::choose_secret(mesh_folder, *secret);
    return mesh::derive_key(in_force.secret, "thole slurm munge");
}

Result<bool> write_munge_key(const std::string& path, const mesh::Secret& key, std::string_view user) {
    auto before = read_file(path);
    const bool same = before && *before == text_of(key.bytes());
    if (before) {
        mesh::wipe({reinterpret_cast<std::uint8_t*>(before->data()), before->size()});
    }
    if (same) {
        return false;
    }
    const auto account = find_account(user, {}, {});
    if (!account) {
        return std::unexpected(account.error());
    }
    if (auto written = replace_file(path, text_of(key.bytes()), 0400); !written) {
        return std::unexpected(written.error());
    }
    if (::chown(path.c_str(), account->user, account->group) != 0) {
        return system_error("give the munge key to its user:", path);
    }
    return true;
}

}  // namespace thole::slurm
