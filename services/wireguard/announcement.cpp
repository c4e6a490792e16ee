#include "announcement.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "record.hpp"

namespace thole::mesh {

namespace {

bool is_word(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char letter) {
        return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '-' || letter == '_';
    });
}

Status add_pods(Announcement& announcement, std::string_view text) {
    const auto network = parse_network(text);
    if (!network) {
        return std::unexpected(network.error());
    }
    if (network_base(*network).address != network->address) {
        return failure(concat(text, " has bits behind its prefix; it would be ", network_text(network_base(*network))));
    }
    if (announcement.pods.size() == kMostPodRanges) {
        return failure(concat("more than ", kMostPodRanges, " networks of pods"));
    }
    announcement.pods.push_back(*network);
    return {};
}

Status add_line(Announcement& announcement, const std::vector<std::string_view>& words) {
    if (words.size() != 2 || (words[0] != "role" && words[0] != "pods")) {
        return failure("expected 'role WORD' or 'pods NETWORK/PREFIX'");
    }
    if (words[0] == "pods") {
        return add_pods(announcement, words[1]);
    }
    if (!is_word(words[1])) {
        return failure(concat("'", words[1], "' is not a name of lower-case letters, digits, '-' and '_'"));
    }
    announcement.roles.emplace_back(words[1]);
    return {};
}

}  // namespace

bool operator==(const Announcement& left, const Announcement& right) {
    const auto same = [](const Network& one, const Network& other) {
        return one.address == other.address && one.prefix == other.prefix;
    };
    return left.roles == right.roles && std::ranges::equal(left.pods, right.pods, same);
}

Result<Announcement> parse_announcement(std::string_view text) {
    Announcement announcement;
    int number = 0;
    for (const auto line : split(text, '\n')) {
        ++number;
        const auto words = split_words(line);
        if (words.empty() || words[0].starts_with('#')) {
            continue;
        }
        if (auto added = add_line(announcement, words); !added) {
            return with_context(concat("line ", number), added.error());
        }
    }
    return announcement;
}

Result<std::string> all_roles(std::string_view of_node_ini, const Announcement& announcement) {
    std::string words(of_node_ini);
    for (const std::string& role : announcement.roles) {
        if (std::ranges::count(split_words(words), role) == 0) {
            append(words, words.empty() ? "" : " ", role);
        }
    }
    if (words.size() > kLongestRoles) {
        return failure(concat("'", words, "' is longer than the ", kLongestRoles,
                              " letters that a node can tell others: give it fewer node.roles"));
    }
    return words;
}

}  // namespace thole::mesh
