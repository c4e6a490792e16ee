// Users and groups from /etc/passwd and /etc/group; there is no other source on a node (passwd(5), group(5)).
#pragma once

#include <sys/types.h>

#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace thole {

struct Account {
    uid_t user = 0;
    gid_t group = 0;
    std::vector<gid_t> groups;  // supplementary ones
};

/// The account of a user by name or number. `group`, where not empty, replaces the user's own; `more` are groups beside
/// those that name the user as a member. Errors name what is not there.
Result<Account> find_account(std::string_view user, std::string_view group, const std::vector<std::string>& more);

}  // namespace thole
