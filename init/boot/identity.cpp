#include "boot/identity.hpp"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/text.hpp"
#include "config/value.hpp"
#include "os/file.hpp"
#include "os/host_name.hpp"

namespace thole {

namespace {

constexpr std::size_t kDigits = 32;

bool is_machine_id(std::string_view text) {
    const auto is_digit = [](char letter) {
        return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'f');
    };
    return text.size() == kDigits && std::ranges::all_of(text, is_digit) &&
           std::ranges::any_of(text, [](char letter) { return letter != '0'; });
}

/// Random, in the form of a version 4 UUID, which is what readers of /etc/machine-id expect.
Result<std::string> new_machine_id() {
    std::array<unsigned char, kDigits / 2> bytes{};
    if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
        return system_error("get random numbers from", "the kernel");
    }
    bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0FU) | 0x40U);
    bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3FU) | 0x80U);
    return hexadecimal(bytes);
}

/// A file in memory: gone with the next boot, so nothing is gained by a rename or an fsync.
Status write_file(const std::string& path, std::string_view content, mode_t mode) {
    ::unlink(path.c_str());
    auto fd = open_file(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
    // In a container the runtime mounts files of its own over some of these; they can be written, but not unlinked.
    return fd ? write_all(fd->get(), content, path) : Status(std::unexpected(fd.error()));
}

}  // namespace

Result<std::string> machine_id(const std::string& path) {
    if (path_exists(path)) {
        const auto text = read_file(path);
        if (!text) {
            return std::unexpected(text.error());
        }
        if (!is_machine_id(trim(*text))) {
            return failure(
                concat(path,
                       " does not hold 32 hexadecimal digits. The node's identity is not replaced: restore the "
                       "file, or remove it to make this a new node."));
        }
        return std::string(trim(*text));
    }
    auto id = new_machine_id();
    if (!id) {
        return id;
    }
    if (auto saved = replace_file(path, *id + "\n", 0444); !saved) {
        return std::unexpected(saved.error());
    }
    return id;
}

std::string derived_node_name(std::string_view machine_id) { return concat("thole-", machine_id.substr(0, 6)); }

std::string container_name() {
    constexpr std::size_t kLongest = 63;  // as node.name
    const std::string name = host_name();
    return name != "localhost" && check_hostname(name, kLongest) ? name : std::string();
}

std::string hosts_text(std::string_view node_name, std::string_view address) {
    return concat("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n",
                  address.empty() ? "127.0.1.1" : address, " ", node_name, "\n");
}

Status complete_hosts(const std::string& path, std::string_view node_name, std::string_view address) {
    const auto text = read_file(path);
    if (!text) {
        return write_file(path, hosts_text(node_name, address), 0644);
    }
    for (const auto line : split(*text, '\n')) {
        const auto words = split_words(line);
        if (std::ranges::find(words, node_name) != words.end()) {
            return {};
        }
    }
    auto fd = open_file(path, O_WRONLY | O_APPEND);
    const std::string more =
        concat(text->ends_with('\n') ? "" : "\n", address.empty() ? "127.0.1.1" : address, " ", node_name, "\n");
    return fd ? write_all(fd->get(), more, path) : Status(std::unexpected(fd.error()));
}

Status write_identity(const std::string& root, std::string_view id, std::string_view node_name, bool in_container) {
    const std::string hosts = root + "/etc/hosts";
    auto written = write_file(root + "/etc/machine-id", concat(id, "\n"), 0444);
    if (written) {
        written = write_file(root + "/etc/hostname", concat(node_name, "\n"), 0644);
    }
    if (written) {
        written =
            in_container ? complete_hosts(hosts, node_name, "") : write_file(hosts, hosts_text(node_name, ""), 0644);
    }
    const bool named = !root.empty() || (in_container && container_name() == node_name);
    if (written && !named && ::sethostname(node_name.data(), node_name.size()) != 0) {
        return system_error("set the host name", node_name);
    }
    return written;
}

}  // namespace thole
