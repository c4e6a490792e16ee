#include "os/accounts.hpp"

#include <algorithm>
#include <optional>

#include "base/text.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

constexpr std::int64_t kLargestId = 0xFFFF'FFFE;
using Fields = std::vector<std::string_view>;

std::optional<unsigned> number(std::string_view text) {
    const auto parsed = parse_integer(text, 0, kLargestId);
    return parsed ? std::optional(static_cast<unsigned>(*parsed)) : std::nullopt;
}

/// The first line of a file with colons whose first field is `name`.
std::optional<Fields> find_line(std::string_view text, std::string_view name) {
    for (const auto line : split(text, '\n')) {
        auto fields = split(line, ':');
        if (fields.size() > 3 && fields[0] == name) {
            return fields;
        }
    }
    return std::nullopt;
}

Result<gid_t> find_group(std::string_view groups, std::string_view name) {
    const auto line = find_line(groups, name);
    const auto id = line ? number((*line)[2]) : number(name);
    if (!id) {
        return failure(concat("there is no group '", name, "' in /etc/group"));
    }
    return *id;
}

void add_memberships(std::string_view groups, std::string_view user, std::vector<gid_t>& out) {
    for (const auto line : split(groups, '\n')) {
        const auto fields = split(line, ':');
        const auto id = fields.size() > 3 ? number(fields[2]) : std::nullopt;
        if (id && std::ranges::count(split(fields[3], ','), user) > 0) {
            out.push_back(*id);
        }
    }
}

}  // namespace

Result<Account> find_account(std::string_view user, std::string_view group, const std::vector<std::string>& more) {
    const std::string users = read_file("/etc/passwd").value_or("");
    const std::string groups = read_file("/etc/group").value_or("");
    const auto line = find_line(users, user);
    const auto id = line ? number((*line)[2]) : number(user);
    const auto own_group = line ? number((*line)[3]) : id;
    if (!id || !own_group) {
        return failure(concat("there is no user '", user, "' in /etc/passwd"));
    }
    Account account{*id, *own_group, {}};
    if (!group.empty()) {
        const auto chosen = find_group(groups, group);
        if (!chosen) {
            return std::unexpected(chosen.error());
        }
        account.group = *chosen;
    }
    add_memberships(groups, user, account.groups);
    for (const std::string& name : more) {
        const auto extra = find_group(groups, name);
        if (!extra) {
            return std::unexpected(extra.error());
        }
        account.groups.push_back(*extra);
    }
    return account;
}

}  // namespace thole
