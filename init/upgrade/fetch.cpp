#include "upgrade/fetch.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>

#include "base/text.hpp"
#include "control/commands.hpp"
#include "os/file.hpp"
#include "os/http.hpp"

namespace thole::upgrade {

namespace {

constexpr const char* kFetched = "/var/lib/thole/upgrade.fetched";
constexpr std::uint64_t kLargest = std::uint64_t{8} << 30U;
constexpr std::uint64_t kStep = std::uint64_t{64} << 20U;
constexpr Milliseconds kPatience{60'000};

}  // namespace

bool is_url(std::string_view text) { return text.find("://") != std::string_view::npos; }

Result<std::string> fetch_bundle(std::string_view text) {
    const auto url = parse_url(text);
    if (!url) {
        return std::unexpected(url.error());
    }
    const auto file = open_file(kFetched, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (!file) {
        return std::unexpected(file.error());
    }
    std::uint64_t done = 0;
    const auto fetched = http_get(*url, kLargest, kPatience, [&](std::string_view bytes) {
        if (done / kStep != (done + bytes.size()) / kStep) {
            print(concat("fetched ", (done + bytes.size()) >> 20U, " MiB\n"));
        }
        done += bytes.size();
        return write_all(file->get(), bytes, kFetched);
    });
    if (!fetched) {
        forget_fetched(kFetched);
        return std::unexpected(fetched.error());
    }
    return std::string(kFetched);
}

void forget_fetched(const std::string& path) {
    if (path == kFetched) {
        ::unlink(kFetched);
    }
}

}  // namespace thole::upgrade
