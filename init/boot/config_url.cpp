#include "boot/config_url.hpp"

#include <sodium/crypto_hash_sha256.h>
#include <sys/mount.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "boot/skeleton.hpp"
#include "config/sources.hpp"
#include "early_network.hpp"
#include "os/file.hpp"
#include "os/http.hpp"

namespace thole {

namespace {

constexpr std::string_view kUrl = "thole-config-url=";
constexpr std::string_view kSum = "thole-config-sha256=";
constexpr const char* kScratch = "/var";  // of the image: empty, and nothing is mounted there yet
constexpr const char* kSkeleton = "/usr/share/thole/var";
constexpr Milliseconds kPatience{20'000};
constexpr std::size_t kDigits = 64;

bool is_sum(std::string_view text) {
    return text.size() == kDigits && std::ranges::all_of(text, [](char letter) {
               return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'f');
           });
}

/// With a /var in memory for the DHCP client, which is taken away again.
Status with_network(const NodeConfig& config, const std::function<Status()>& use) {
    if (::mount("tmpfs", kScratch, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=16m") != 0) {
        return system_error("mount a tmpfs at", kScratch);
    }
    auto done = fill_from_skeleton(kSkeleton, kScratch);
    done = done ? start_early_network(config) : done;
    done = done ? use() : done;
    ::umount2(kScratch, MNT_DETACH);
    return done;
}

Result<std::string> fetch(const std::string& address) {
    const auto url = parse_url(address);
    if (!url) {
        return std::unexpected(url.error());
    }
    std::string text;
    const auto fetched = http_get(*url, kSmallFile, kPatience, [&](std::string_view bytes) {
        text += bytes;
        return Status();
    });
    return fetched ? Result<std::string>(std::move(text)) : std::unexpected(fetched.error());
}

}  // namespace

Result<std::optional<ConfigUrl>> config_url(std::string_view command_line) {
    ConfigUrl found;
    for (const auto word : split_words(command_line)) {
        if (word.starts_with(kUrl)) {
            found.url = word.substr(kUrl.size());
        } else if (word.starts_with(kSum)) {
            found.sum = word.substr(kSum.size());
        }
    }
    if (found.url.empty() && found.sum.empty()) {
        return std::optional<ConfigUrl>();
    }
    if (found.url.empty() || !is_sum(found.sum)) {
        return failure(
            "the kernel's command line has to have both thole-config-url=URL and thole-config-sha256=SUM, with the "
            "64 digits that sha256sum prints");
    }
    return std::optional<ConfigUrl>(std::move(found));
}

std::string sha256(std::string_view text) {
    std::array<unsigned char, crypto_hash_sha256_BYTES> sum{};
    ::crypto_hash_sha256(sum.data(), reinterpret_cast<const unsigned char*>(text.data()), text.size());
    return hexadecimal(sum);
}

Result<std::optional<ConfigUrl>> wanted_config_url() {
    if (path_exists(std::string(kUrlCopy))) {
        return std::optional<ConfigUrl>();  // PID 1 has started again from another root
    }
    const auto command_line = read_file("/proc/cmdline");
    return command_line ? config_url(*command_line) : std::unexpected(command_line.error());
}

Status take_config_url(Console& console, const ConfigUrl& place, const NodeConfig& config) {
    std::string text;
    const auto fetched = with_network(config, [&]() -> Status {
        auto got = fetch(place.url);
        if (!got) {
            return std::unexpected(got.error());
        }
        text = std::move(*got);
        return {};
    });
    if (!fetched) {
        return failure(concat("The configuration ", place.url,
                              " cannot be fetched, and nothing was changed: ", fetched.error().message));
    }
    if (const auto sum = sha256(text); sum != place.sum) {
        return failure(concat("The configuration ", place.url, " has the SHA-256 ", sum,
                              ", and the kernel's command line wants ", place.sum, ". Nothing was changed."));
    }
    console.line(concat("config   node.ini of ", place.url));
    return replace_file(std::string(kUrlCopy), text, 0600);
}

}  // namespace thole
