#include "identity.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "base/text.hpp"
#include "os/file.hpp"

namespace thole::mesh {

namespace {

constexpr std::string_view kKeyFile = "/private.key";
constexpr std::string_view kStateFile = "/state";
constexpr std::string_view kRemedy =
    ". The node's identity is not replaced: restore the file, or remove it to make this a new node.";

std::unexpected<Error> bad_key(const std::string& path, std::string_view why) {
    return failure(concat(path, " ", why, kRemedy));
}

std::string parent_of(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

/// A folder that is there and whose own entry is on the disk.
Status durable_folder(const std::string& folder) {
    if (::mkdir(folder.c_str(), 0700) != 0) {
        return errno == EEXIST ? Status() : system_error("make the folder", folder);
    }
    const auto parent = open_file(parent_of(folder), O_RDONLY | O_DIRECTORY);
    if (!parent) {
        return std::unexpected(parent.error());
    }
    return ::fsync(parent->get()) == 0 ? Status() : system_error("save the folder of", folder);
}

/// Refuses what somebody else could have read or written.
Status check_owner(int fd, const std::string& path) {
    struct stat information{};
    if (::fstat(fd, &information) != 0) {
        return system_error("look at", path);
    }
    if (!S_ISREG(information.st_mode)) {
        return bad_key(path, "is not a file");
    }
    if (information.st_uid != ::geteuid()) {
        return bad_key(path, concat("belongs to the user ", information.st_uid, ", not to ", ::geteuid(),
                                    ", who may know the key"));
    }
    if ((information.st_mode & 077U) != 0) {
        return failure(concat(path,
                              " can be read or written by others than its owner. If nobody has: chmod 0600; else "
                              "remove it to make this a new node."));
    }
    return {};
}

/// The text of an open key file; longer than any key where it is too long.
Result<std::string> key_text(int fd, const std::string& path) {
    std::array<char, 64> buffer{};
    const ssize_t count = ::read(fd, buffer.data(), buffer.size());
    if (count < 0) {
        return system_error("read", path);
    }
    std::string text(buffer.data(), static_cast<std::size_t>(count));
    wipe({reinterpret_cast<std::uint8_t*>(buffer.data()), buffer.size()});
    return text;
}

void wipe_text(std::string& text) { wipe({reinterpret_cast<std::uint8_t*>(text.data()), text.size()}); }

Result<PrivateKey> read_key(int fd, const std::string& path) {
    if (auto owner = check_owner(fd, path); !owner) {
        return std::unexpected(owner.error());
    }
    auto text = key_text(fd, path);
    if (!text) {
        return std::unexpected(text.error());
    }
    if (text->empty()) {
        return bad_key(path, "is empty");
    }
    if (!text->ends_with('\n')) {
        wipe_text(*text);
        return bad_key(path, "does not end with its line: it is cut off or no key");
    }
    auto key = PrivateKey::parse(std::string_view(*text).substr(0, text->size() - 1));
    wipe_text(*text);
    return key ? std::move(key) : bad_key(path, key.error().message);
}

Result<PrivateKey> make_key(const std::string& path, const Block& random) {
    if (std::ranges::all_of(random, [](std::uint8_t byte) { return byte == 0; })) {
        return failure(concat("cannot make ", path, ": there are no random numbers to make it of"));
    }
    PrivateKey key = PrivateKey::from_random(random);
    // What a power cut left there may have another owner's mode; nothing of it is used.
    ::unlink((path + ".new").c_str());
    std::string text = base64_text(key.bytes()) + "\n";
    const auto saved = replace_file(path, text, 0600);
    wipe_text(text);
    if (!saved) {
        return std::unexpected(saved.error());
    }
    return key;
}

/// "NAME NUMBER"; false where the line is another.
bool read_line(std::string_view line, std::string_view name, std::int64_t maximum, std::int64_t& number) {
    if (!line.starts_with(name)) {
        return false;
    }
    const auto value = parse_integer(line.substr(name.size()), 0, maximum);
    number = value.value_or(0);
    return value.has_value();
}

}  // namespace

Result<PrivateKey> node_key(const std::string& folder, const Block& random) {
    if (auto made = durable_folder(folder); !made) {
        return std::unexpected(made.error());
    }
    const std::string path = concat(folder, kKeyFile);
    // O_NONBLOCK: somebody's FIFO must not hold the node up.
    const auto fd = open_file(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (fd) {
        return read_key(fd->get(), path);
    }
    if (fd.error().code == ENOENT) {
        return make_key(path, random);
    }
    return fd.error().code == ELOOP ? Result<PrivateKey>(bad_key(path, "is a link, not a file"))
                                    : std::unexpected(fd.error());
}

std::string state_text(const NodeState& state) {
    return concat("epoch ", state.epoch, "\nattempt ", state.attempt, "\nsettled ", state.settled, "\n");
}

NodeState parse_state(std::string_view text) {
    const auto lines = split(text, '\n');
    std::int64_t epoch = 0;
    std::int64_t attempt = 0;
    std::int64_t settled = 0;
    if (lines.size() != 4 || !lines[3].empty() ||
        !read_line(lines[0], "epoch ", std::numeric_limits<std::uint32_t>::max(), epoch) ||
        !read_line(lines[1], "attempt ", std::numeric_limits<std::uint8_t>::max(), attempt) ||
        !read_line(lines[2], "settled ", std::numeric_limits<std::int64_t>::max(), settled)) {
        return {};
    }
    return {static_cast<std::uint32_t>(epoch), static_cast<std::uint8_t>(attempt), static_cast<std::uint64_t>(settled)};
}

Status save_state(const std::string& folder, const NodeState& state) {
    return replace_file(concat(folder, kStateFile), state_text(state), 0600);
}

Result<NodeState> begin_epoch(const std::string& folder, std::uint64_t seconds) {
    const auto text = read_file(concat(folder, kStateFile), 256);
    NodeState state = text ? parse_state(*text) : NodeState();
    // Half of the numbers are left for epochs that others' mistakes make necessary.
    constexpr std::uint64_t kLatest = std::numeric_limits<std::uint32_t>::max() / 2;
    state.epoch =
        static_cast<std::uint32_t>(std::max<std::uint64_t>(std::uint64_t{state.epoch} + 1, std::min(seconds, kLatest)));
    if (auto saved = save_state(folder, state); !saved) {
        return std::unexpected(saved.error());
    }
    return state;
}

}  // namespace thole::mesh
