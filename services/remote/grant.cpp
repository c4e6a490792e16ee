#include "grant.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "config/ini.hpp"
#include "config/value.hpp"
#include "log/log_line.hpp"
#include "os/file.hpp"

namespace thole::remote {

namespace {

constexpr std::array<std::string_view, 4> kRoleNames{"none", "read-only", "admin", "node"};

/// "2026-11-22", UTC.
std::string date_text(std::uint64_t seconds) {
    constexpr std::uint64_t kLast = 253'402'300'799;  // of the year 9999
    return time_text(static_cast<std::int64_t>(std::min(seconds, kLast)) * 1000).substr(0, 10);
}

/// What a client's file says, line by line.
struct Written {
    Grant grant;
    std::string endpoint;
    mesh::Block key{};
    unsigned seen = 0;
};

Status set_block(mesh::Block& block, const IniEntry& entry) {
    const auto parsed = mesh::parse_base64(entry.value);
    if (!parsed) {
        return with_context(concat("'", entry.key, "'"), parsed.error());
    }
    block = *parsed;
    return {};
}

Status set_value(Written& written, const IniEntry& entry) {
    static constexpr std::array<std::string_view, 7> kKeys{"name", "role",    "id",      "expires",
                                                           "key",  "cluster", "endpoint"};
    unsigned at = 0;
    while (at < kKeys.size() && kKeys[at] != entry.key) {
        ++at;
    }
    if (entry.section != "client" || at == kKeys.size() || (written.seen & (1U << at)) != 0) {
        return failure(concat("'", entry.key, "' in [", entry.section, "] is not known here, or stands there twice"));
    }
    written.seen |= 1U << at;
    switch (at) {
        case 0: written.grant.name = entry.value; return check_hostname(entry.value, kLongestName);
        case 1:
            written.grant.role = role_of(entry.value);
            return written.grant.role == Role::none ? Status(failure("'role' is neither read-only nor admin"))
                                                    : Status();
        case 2: return set_block(written.grant.id, entry);
        case 3: {
            const auto seconds = parse_integer(entry.value, 0, INT64_MAX);
            written.grant.expires = static_cast<std::uint64_t>(seconds.value_or(0));
            return seconds ? Status() : with_context("'expires'", seconds.error());
        }
        case 4: return set_block(written.key, entry);
        case 6: written.endpoint = entry.value; return {};
        default: return {};
    }
}

}  // namespace

std::string_view role_name(Role role) { return kRoleNames[static_cast<std::size_t>(role)]; }

Role role_of(std::string_view name) {
    return name == "admin" ? Role::admin : name == "read-only" ? Role::read_only : Role::none;
}

mesh::Secret grant_key(const mesh::ClusterSecret& secret, const Grant& grant) {
    std::array<std::uint8_t, 9> fixed{static_cast<std::uint8_t>(grant.role)};
    for (std::size_t index = 0; index < 8; ++index) {
        fixed[1 + index] = static_cast<std::uint8_t>(grant.expires >> (56 - 8 * index));
    }
    const auto* const name = reinterpret_cast<const std::uint8_t*>(grant.name.data());
    mesh::Digest digest = mesh::keyed_hash(mesh::derive_key(secret, "thole remote grant"), "thole remote client",
                                           {grant.id, fixed, {name, grant.name.size()}});
    mesh::Secret key(digest.bytes);
    mesh::wipe(digest.bytes);
    return key;
}

Identity node_identity(const mesh::ClusterSecret& secret, std::string_view name) {
    Grant grant{{}, Role::node, kNever, std::string(name.substr(0, kLongestName))};
    mesh::Secret key = grant_key(secret, grant);
    return {std::move(grant), std::move(key), {}};
}

std::string client_file(const Identity& identity, std::string_view cluster) {
    const Grant& grant = identity.grant;
    std::string key = mesh::base64_text(identity.key.bytes());
    std::string text =
        concat("# Lets ", grant.name, " talk to the nodes of ", cluster, " (", role_name(grant.role), ") until ",
               date_text(grant.expires), ". Whoever has this file can.\n[client]\ncluster = ", cluster,
               "\nname = ", grant.name, "\nrole = ", role_name(grant.role), "\nexpires = ");
    append(text, static_cast<std::int64_t>(grant.expires), "\nid = ", mesh::base64_text(grant.id), "\nkey = ", key,
           "\n");
    if (!identity.endpoint.empty()) {
        append(text, "endpoint = ", identity.endpoint, "\n");
    }
    mesh::wipe({reinterpret_cast<std::uint8_t*>(key.data()), key.size()});
    return text;
}

Result<Identity> parse_client_file(std::string_view file, std::string_view text) {
    Written written;
    if (auto parsed = parse_ini(file, text, [&](const IniEntry& entry) { return set_value(written, entry); });
        !parsed) {
        return std::unexpected(parsed.error());
    }
    constexpr unsigned kNeeded = 0x1F;
    if ((written.seen & kNeeded) != kNeeded) {
        return failure(concat(file, " is no client's file, or not a whole one: `./thole config client` makes them"));
    }
    Identity identity{std::move(written.grant), mesh::Secret(written.key), std::move(written.endpoint)};
    mesh::wipe(written.key);
    return identity;
}

Result<Identity> load_client(const std::string& path) {
    struct stat information{};
    if (::stat(path.c_str(), &information) != 0) {
        return system_error("read the client's file", path);
    }
    if ((information.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return failure(concat("others than you may read ", path, ", which has a key in it: chmod 600 ", path));
    }
    auto text = read_file(path);
    if (!text) {
        return std::unexpected(text.error());
    }
    auto identity = parse_client_file(path, *text);
    mesh::wipe({reinterpret_cast<std::uint8_t*>(text->data()), text->size()});
    return identity;
}

}  // namespace thole::remote
