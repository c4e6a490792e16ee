#include "allowed.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace thole::remote {

namespace {

struct Allowed {
    std::string_view verb;
    Role least;
    std::string_view action = {};  // the word behind the verb; empty: any words
};

// Nothing here opens a file that its words name: `lint` and `config check` would.
constexpr Allowed kAllowed[] = {
    {"status", Role::read_only},
    {"show", Role::read_only},
    {"logs", Role::read_only},
    {"events", Role::read_only},
    {"top", Role::read_only},
    {"blame", Role::read_only},
    {"plot", Role::read_only},
    {"doctor", Role::read_only},
    {"version", Role::read_only},
    {"node", Role::read_only},
    {"config", Role::read_only, "show"},
    {"mesh", Role::read_only, "status"},
    {"mesh", Role::read_only, "peers"},
    {"mesh", Role::admin, "forget"},
    {"firewall", Role::read_only, "show"},
    {"start", Role::admin},
    {"stop", Role::admin},
    {"restart", Role::admin},
    {"reload", Role::admin},
    {"enable", Role::admin},
    {"disable", Role::admin},
    {"reboot", Role::admin},
    {"poweroff", Role::admin},
};

/// The word behind the verb and `--json`. Any other option there could have a value that looks like an action.
std::string_view action_of(std::span<const std::string> words) {
    for (const std::string& word : words.subspan(1)) {
        if (word != "--json") {
            return word;
        }
    }
    return {};
}

}  // namespace

Role lesser(Role left, Role right) { return std::min(left, right); }

Status check_allowed(Role role, std::span<const std::string> words) {
    const std::string_view action = action_of(words);
    bool known = false;
    for (const Allowed& allowed : kAllowed) {
        if (allowed.verb != words[0] || (!allowed.action.empty() && allowed.action != action)) {
            continue;
        }
        if (role >= allowed.least) {
            return {};
        }
        known = true;
    }
    if (known && role == Role::read_only) {
        return failure(concat("`thole ", words[0], "` needs the role admin here, and this is read-only"));
    }
    return failure(concat("`thole ", words[0], action.empty() ? "" : " ", action.substr(0, 32),
                          "` is not done for other machines; docs/remote.md lists what is"));
}

}  // namespace thole::remote
