#include "secret_store.hpp"

#include "base/text.hpp"
#include "os/file.hpp"

namespace thole::mesh {

namespace {

constexpr std::string_view kFile = "/secret";
constexpr std::size_t kLargest = 1024;

std::string base_of(const ClusterSecret& secret) {
    return base64_text(hash("thole secret of node.ini", {secret.bytes()}).bytes);
}

/// The word behind "NAME " at the beginning of a line.
std::string_view word(std::string_view text, std::string_view name) {
    for (const auto line : split(text, '\n')) {
        if (line.size() > name.size() && line.starts_with(name) && line[name.size()] == ' ') {
            return line.substr(name.size() + 1);
        }
    }
    return {};
}

std::uint64_t number(std::string_view text, std::string_view name, std::int64_t most) {
    return static_cast<std::uint64_t>(parse_integer(word(text, name), 0, most).value_or(0));
}

std::optional<ClusterSecret> secret(std::string_view text, std::string_view name) {
    auto parsed = ClusterSecret::parse(word(text, name));
    return parsed ? std::optional<ClusterSecret>(std::move(*parsed)) : std::nullopt;
}

void wipe_text(std::string& text) { wipe({reinterpret_cast<std::uint8_t*>(text.data()), text.size()}); }

}  // namespace

StoredSecret choose_secret(const std::string& folder, const ClusterSecret& of_node_ini) {
    constexpr std::int64_t kMost = 0xFFFFFFFF;
    StoredSecret chosen{
        .secret = ClusterSecret(of_node_ini.bytes()), .version = {}, .previous = std::nullopt, .previous_until = 0};
    auto text = read_file(concat(folder, kFile), kLargest);
    if (!text) {
        return chosen;
    }
    auto stored = secret(*text, "secret");
    const bool follows =
        word(*text, "base") == base_of(of_node_ini) || (stored && same_bytes(stored->bytes(), of_node_ini.bytes()));
    if (stored && follows) {
        chosen.secret = std::move(*stored);
        chosen.version.generation = static_cast<std::uint32_t>(number(*text, "generation", kMost));
        chosen.version.check = static_cast<std::uint32_t>(number(*text, "check", kMost));
        chosen.previous = secret(*text, "previous");
        chosen.previous_until = number(*text, "previous-until", INT64_MAX);
    }
    wipe_text(*text);
    return chosen;
}

Status store_secret(const std::string& folder, const StoredSecret& stored, const ClusterSecret& of_node_ini) {
    std::string text = concat("secret ", base64_text(stored.secret.bytes()), "\ngeneration ", stored.version.generation,
                              "\ncheck ", stored.version.check, "\nbase ", base_of(of_node_ini), "\n");
    if (stored.previous) {
        append(text, "previous ", base64_text(stored.previous->bytes()), "\nprevious-until ", stored.previous_until,
               "\n");
    }
    const auto saved = replace_file(concat(folder, kFile), text, 0600);
    wipe_text(text);
    return saved;
}

}  // namespace thole::mesh
