#include "config/sources.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include "base/text.hpp"
#include "config/ini.hpp"
#include "config/smbios.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

constexpr std::string_view kPrefix = "thole.";
constexpr std::string_view kCommandLine = "the kernel command line";
constexpr std::string_view kOemStrings = "the machine's OEM strings (SMBIOS)";
constexpr std::string_view kEnvironment = "the container's environment";

struct Value {
    std::string section;
    std::string key;
    std::string text;
    int line = 0;
    bool continued = false;
};

/// Collects the values of one file; an indented line goes on with the value above it.
class IniReader {
   public:
    explicit IniReader(std::string_view text) : lines_(split(text, '\n')) {}

    Status add(const IniEntry& entry) {
        if (continues(entry)) {
            values_.back().text += concat(" ", entry.value);
            values_.back().continued = true;
            return {};
        }
        for (const Value& other : values_) {
            if (other.section == entry.section && other.key == entry.key) {
                return failure(
                    concat("'", entry.key, "' in [", entry.section, "] stands already in line ", other.line));
            }
        }
        values_.push_back(
            {std::string(entry.section), std::string(entry.key), std::string(entry.value), entry.line, false});
        return {};
    }

    [[nodiscard]] const std::vector<Value>& values() const { return values_; }

   private:
    [[nodiscard]] bool continues(const IniEntry& entry) const {
        const auto line = lines_[std::min(lines_.size(), static_cast<std::size_t>(entry.line)) - 1];
        const bool indented = line.starts_with(' ') || line.starts_with('\t');
        return indented && !values_.empty() && values_.back().section == entry.section &&
               values_.back().key == entry.key;
    }

    std::vector<std::string_view> lines_;
    std::vector<Value> values_;
};

/// The next word of a kernel command line without its quotes; `closed` is false where a quote has no end.
std::string next_word(std::string_view& text, bool& closed) {
    text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
    std::string word;
    bool quoted = false;
    while (!text.empty()) {
        const char letter = text.front();
        if (!quoted && std::string_view(" \t\r\n").find(letter) != std::string_view::npos) {
            break;
        }
        text.remove_prefix(1);
        if (letter == '"') {
            quoted = !quoted;
        } else {
            word += letter;
        }
    }
    closed = !quoted;
    return word;
}

/// thole.SECTION.KEY=VALUE.
Status set_from_word(NodeConfig& config, std::string_view word, std::string_view origin, bool public_source) {
    const auto name = word.substr(0, word.find('='));
    if (name.size() == word.size()) {
        return failure(concat("'", word, "' has no value: thole.SECTION.KEY=VALUE"));
    }
    const auto dotted = name.substr(kPrefix.size());
    const auto dot = dotted.find('.');
    if (dot == std::string_view::npos) {
        return failure(concat("'", name, "' names no key: thole.SECTION.KEY=VALUE"));
    }
    return config.set(dotted.substr(0, dot), dotted.substr(dot + 1), word.substr(name.size() + 1), origin,
                      public_source);
}

std::string variable_name(const Key& key) {
    std::string name = concat("THOLE_", key.section, "_", key.name);
    for (char& letter : name) {
        letter = letter == '-' ? '_' : letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 'a' + 'A') : letter;
    }
    return name;
}

/// The value of a key's own variable, which may be a yes or no that stands for another word.
Status set_from_own_variable(NodeConfig& config, const Key& key, std::string_view value) {
    if (key.environment_words.empty() || value.empty()) {
        return config.set(key.section, key.name, value, kEnvironment, false);
    }
    const Key question{
        .section = key.section, .name = key.environment, .type = KeyType::boolean, .fallback = "", .doc = ""};
    const auto answer = canonical_value(question, value);
    if (!answer) {
        return std::unexpected(answer.error());
    }
    const auto words = split_words(key.environment_words);
    return config.set(key.section, key.name, *answer == "yes" ? words.front() : words.back(), kEnvironment, false);
}

Status set_from_variable(NodeConfig& config, std::string_view name, std::string_view value) {
    std::vector<std::string> names;
    for (const Key& key : config.keys()) {
        names.push_back(variable_name(key));
        if (name == names.back()) {
            return config.set(key.section, key.name, value, kEnvironment, false);
        }
        if (!key.environment.empty() && name == key.environment) {
            return set_from_own_variable(config, key, value);
        }
    }
    if (!name.starts_with("THOLE_")) {
        return {};
    }
    const std::vector<std::string_view> views(names.begin(), names.end());
    const auto near = nearest_name(name, views);
    return failure(
        concat("unknown variable ", name, near.empty() ? "" : "; did you mean ", near, near.empty() ? "" : "?"));
}

struct Source {
    std::string_view path;
    std::string_view name;  // in messages
};

constexpr std::array kFiles{
    Source{"/usr/lib/thole/node.ini", "/usr/lib/thole/node.ini"},
    Source{"/var/lib/thole/node.ini", "/var/lib/thole/node.ini"},
    Source{kSeedNameCopy, "the seed's meta-data"},
    Source{kSeedCopy, "the seed's user-data"},
    Source{kConfigDiskCopy, "the config disk's node.ini"},
};
// Stronger than what the machine's tables say.
constexpr std::array kStrongerFiles{
    Source{"/sys/firmware/qemu_fw_cfg/by_name/opt/thole/node.ini/raw", "fw_cfg opt/thole/node.ini"},
    Source{kUrlCopy, "the URL's node.ini"},
};
constexpr std::string_view kTables = "/sys/firmware/dmi/tables/DMI";

Status add_file(NodeConfig& config, const std::string& root, const Source& source) {
    const std::string path = concat(root, source.path);
    struct stat information{};
    if (::stat(path.c_str(), &information) != 0 && (errno == ENOENT || errno == ENOTDIR)) {
        return {};
    }
    return add_ini_file(config, path, source.name);
}

Status add_files(NodeConfig& config, const std::string& root, std::span<const Source> sources) {
    for (const Source& source : sources) {
        if (auto added = add_file(config, root, source); !added) {
            return added;
        }
    }
    return {};
}

/// What a machine is told from outside: not a container, which has its environment for that.
Status add_machine_sources(NodeConfig& config, const std::string& root) {
    // A machine without such tables, or a process that may not read them.
    if (const auto table = read_file(concat(root, kTables))) {
        if (auto added = add_oem_strings(config, *table); !added) {
            return added;
        }
    }
    if (auto added = add_files(config, root, kStrongerFiles); !added) {
        return added;
    }
    const auto command_line = read_file(root + "/proc/cmdline");
    return command_line ? add_command_line(config, *command_line) : Status();
}

}  // namespace

Status add_ini(NodeConfig& config, std::string_view file, std::string_view text, bool public_source) {
    IniReader reader(text);
    if (auto parsed = parse_ini(file, text, [&](const IniEntry& entry) { return reader.add(entry); }); !parsed) {
        return parsed;
    }
    for (const Value& value : reader.values()) {
        const std::string origin = concat(file, ":", value.line);
        if (const auto set = config.set(value.section, value.key, value.text, origin, public_source); !set) {
            const auto hint = value.continued ? " (a line that begins with blanks continues the value above it)" : "";
            return failure(concat(origin, ": ", set.error().message, hint));
        }
    }
    return {};
}

Status add_ini_file(NodeConfig& config, const std::string& path, std::string_view name) {
    struct stat information{};
    if (::stat(path.c_str(), &information) != 0) {
        return system_error("read", path);
    }
    const auto text = read_file(path);
    return text ? add_ini(config, name, *text, (information.st_mode & S_IROTH) != 0) : std::unexpected(text.error());
}

Status add_command_line(NodeConfig& config, std::string_view command_line) {
    while (true) {
        bool closed = true;
        const std::string word = next_word(command_line, closed);
        if (word.empty() && command_line.empty()) {
            return {};
        }
        if (!closed && word.find(kPrefix) != std::string::npos) {
            return failure(concat(kCommandLine, ": the quote in '", word.substr(0, word.find('=')), "' has no end"));
        }
        if (!word.starts_with(kPrefix)) {
            continue;
        }
        if (auto set = set_from_word(config, word, kCommandLine, true); !set) {
            return with_context(kCommandLine, set.error());
        }
    }
}

Status add_oem_strings(NodeConfig& config, std::string_view table) {
    for (const std::string_view text : oem_strings(table)) {
        if (!text.starts_with(kPrefix)) {
            continue;
        }
        if (auto set = set_from_word(config, text, kOemStrings, false); !set) {
            return with_context(kOemStrings, set.error());
        }
    }
    return {};
}

Status add_environment(NodeConfig& config, std::span<const char* const> environment) {
    for (const std::string_view variable : environment) {
        const auto equals = variable.find('=');
        if (equals == std::string_view::npos) {
            continue;
        }
        if (auto set = set_from_variable(config, variable.substr(0, equals), variable.substr(equals + 1)); !set) {
            return with_context(kEnvironment, set.error());
        }
    }
    return {};
}

Result<NodeConfig> load_node_config(const std::string& root, bool in_container,
                                    std::span<const char* const> environment) {
    NodeConfig config;
    if (auto added = add_files(config, root, kFiles); !added) {
        return std::unexpected(added.error());
    }
    if (auto added = in_container ? add_environment(config, environment) : add_machine_sources(config, root); !added) {
        return std::unexpected(added.error());
    }
    if (auto finished = config.finish(); !finished) {
        return std::unexpected(finished.error());
    }
    return config;
}

}  // namespace thole
