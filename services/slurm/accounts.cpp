#include "accounts.hpp"

#include <optional>

#include "base/text.hpp"

namespace thole::slurm {

namespace {

constexpr std::string_view kUser = "# user";
constexpr std::string_view kGroup = "# group";

bool is_name(std::string_view word) {
    return !word.empty() && word.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_") == std::string_view::npos;
}

std::optional<unsigned> job_id(std::string_view text) {
    const auto id = parse_integer(text, kFirstJobId, kLastJobId);
    return id ? std::optional(static_cast<unsigned>(*id)) : std::nullopt;
}

/// The lines whose number is not one of jobs' accounts: passwd and group both have it in the third field.
std::string others(std::string_view file) {
    std::string kept;
    for (const auto line : split(file, '\n')) {
        const auto fields = split(line, ':');
        if (!line.empty() && (fields.size() < 3 || !job_id(fields[2]))) {
            append(kept, line, "\n");
        }
    }
    return kept;
}

}  // namespace

std::string handed_out(const JobAccounts& accounts) {
    std::string text = "# For the nodes' passwd and group; made from node.ini of the controller.\n";
    for (const JobUser& user : accounts.users) {
        append(text, kUser, " ", user.name, " ", user.id, "\n");
    }
    for (const JobGroup& group : accounts.groups) {
        append(text, kGroup, " ", group.name, " ", group.id);
        for (const std::string& member : group.members) {
            append(text, " ", member);
        }
        text += '\n';
    }
    return text;
}

JobAccounts read_handed_out(std::string_view text) {
    JobAccounts accounts;
    for (const auto line : split(text, '\n')) {
        const auto words = split_words(line);
        if (words.size() < 4 || words[0] != "#" || !is_name(words[2])) {
            continue;
        }
        const auto id = job_id(words[3]);
        if (!id) {
            continue;
        }
        if (words[1] == "user" && words.size() == 4) {
            accounts.users.push_back({std::string(words[2]), *id});
        } else if (words[1] == "group") {
            JobGroup group{std::string(words[2]), *id, {}};
            for (std::size_t at = 4; at < words.size(); ++at) {
                if (is_name(words[at])) {
                    group.members.emplace_back(words[at]);
                }
            }
            accounts.groups.push_back(std::move(group));
        }
    }
    return accounts;
}

std::string with_users(std::string_view passwd, const JobAccounts& accounts) {
    std::string text = others(passwd);
    for (const JobUser& user : accounts.users) {
        append(text, user.name, ":x:", user.id, ":", user.id, ":", user.name, ":/home/", user.name, ":/bin/bash\n");
    }
    return text;
}

std::string with_groups(std::string_view group, const JobAccounts& accounts) {
    std::string text = others(group);
    for (const JobUser& user : accounts.users) {
        append(text, user.name, ":x:", user.id, ":\n");
    }
    for (const JobGroup& one : accounts.groups) {
        append(text, one.name, ":x:", one.id, ":", join(one.members, ","), "\n");
    }
    return text;
}

}  // namespace thole::slurm
