#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>

#include "base/text.hpp"
#include "log/log_line.hpp"
#include "log/log_ring.hpp"
#include "log/tail.hpp"
#include "log_places_of.hpp"
#include "os/file.hpp"

using namespace thole;

namespace {

constexpr std::uint64_t kBoot = 7;

std::string numbered(std::uint64_t number, std::size_t width) {
    std::string line = concat(number, " ");
    line.resize(std::max(line.size(), width), static_cast<char>('a' + number % 26));
    return line + "\n";
}

/// Whether every line is as numbered() made it and the numbers go up by one.
bool sound(std::string_view text, std::size_t width) {
    std::int64_t last = -1;
    while (!text.empty()) {
        const auto end = text.find('\n');
        if (end == std::string_view::npos) {
            return false;
        }
        const auto line = text.substr(0, end);
        const auto number = parse_integer(line.substr(0, line.find(' ')), 0, INT64_MAX);
        if (!number || (last >= 0 && *number != last + 1) ||
            numbered(static_cast<std::uint64_t>(*number), width + static_cast<std::size_t>(*number) % 50) !=
                concat(line, "\n")) {
            return false;
        }
        last = *number;
        text.remove_prefix(end + 1);
    }
    return true;
}

}  // namespace

TEST_CASE("log ring: what was written is read, and the oldest goes first") {
    const TemporaryFolder folder;
    const std::string path = folder.path() + "/deep/ring";
    LogRing ring(path, kBoot);
    CHECK(!read_ring(path, kBoot));
    ring.append("one\ntwo\n", 2);
    CHECK(read_ring(path, kBoot)->text == "one\ntwo\n");
    for (std::uint64_t number = 0; number < 5000; ++number) {
        ring.append(numbered(number, 20 + number % 50), 1);
        if (number % 100 == 0 || number > 4900) {
            const auto content = read_ring(path, kBoot);
            REQUIRE(content);
            REQUIRE(content->text.ends_with(numbered(number, 20 + number % 50)));
            REQUIRE(content->text.size() <= kRingData);
            REQUIRE((number < 2000 || sound(content->text, 20)));
        }
    }
    const auto content = read_ring(path, kBoot);
    CHECK(content->text.size() > kRingData - 100);
    CHECK(read_ring(path, kBoot, content->end - 10)->text.size() == 10);
    CHECK(read_ring(path, kBoot, content->end)->text.empty());
    CHECK(read_ring(path, kBoot, content->end + 1000)->text.empty());
}

TEST_CASE("log ring: more than it holds leaves its end, from a whole line on") {
    const TemporaryFolder folder;
    LogRing ring(folder.path() + "/ring", kBoot);
    std::string much;
    for (std::uint64_t number = 0; number < 4000; ++number) {
        much += numbered(number, 30 + number % 50);
    }
    ring.append(much, 4000);
    const auto content = read_ring(folder.path() + "/ring", kBoot);
    CHECK(content->text.size() > kRingData - 200);
    CHECK(much.ends_with(content->text));
    CHECK(sound(content->text, 30));
}

TEST_CASE("log ring: a later logger goes on, another boot begins anew") {
    const TemporaryFolder folder;
    const std::string path = folder.path() + "/ring";
    {
        LogRing ring(path, kBoot);
        ring.set_mark(0);
        CHECK(ring.mark() == 0);
        ring.set_mark(42);
        ring.append("one\n", 1);
    }
    LogRing later(path, kBoot);
    CHECK(later.mark() == 42);
    later.append("two\n", 1);
    CHECK(read_ring(path, kBoot)->text == "one\ntwo\n");
    CHECK(!read_ring(path, kBoot + 1));
    CHECK(read_ring(path, 0));
    LogRing next_boot(path, kBoot + 1);
    CHECK(next_boot.mark() == 0);
    next_boot.append("three\n", 1);
    CHECK(read_ring(path, kBoot + 1)->text == "three\n");
}

TEST_CASE("log ring: a broken head is not believed, and does not keep a logger from writing") {
    const TemporaryFolder folder;
    const std::string path = folder.path() + "/ring";
    for (const std::size_t at : {0U, 8U, 16U, 24U, 48U}) {
        {
            LogRing ring(path, kBoot);
            ring.append("one\n", 1);
        }
        const Fd file = std::move(open_file(path, O_WRONLY).value());
        REQUIRE(::pwrite(file.get(), "\xFF", 1, static_cast<off_t>(at) + 3) == 1);
        CHECK(!read_ring(path, kBoot));
        LogRing again(path, kBoot);
        again.append("two\n", 1);
        CHECK(read_ring(path, kBoot)->text == "two\n");
    }
}

TEST_CASE("log ring: a quiet log costs a page") {
    const TemporaryFolder folder;
    LogRing ring(folder.path() + "/ring", kBoot);
    ring.append("one\n", 1);
    struct stat information{};
    REQUIRE(::stat((folder.path() + "/ring").c_str(), &information) == 0);
    CHECK(information.st_size < 4096);
}

TEST_CASE("log ring: a reader never sees a torn line while a writer writes as fast as it can") {
    const TemporaryFolder folder;
    const std::string path = folder.path() + "/ring";
    LogRing first(path, kBoot);
    first.append(numbered(0, 100), 1);
    const pid_t writer = ::fork();
    if (writer == 0) {
        LogRing ring(path, kBoot);
        for (std::uint64_t number = 1;; ++number) {
            ring.append(numbered(number, 100 + number % 50), 1);
        }
    }
    int good = 0;
    for (int count = 0; count < 3000; ++count) {
        const auto content = read_ring(path, kBoot);
        if (!content) {
            continue;  // the writer was faster at each try; that is said, not hidden
        }
        REQUIRE(sound(content->text, 100));
        ++good;
    }
    ::kill(writer, SIGKILL);
    ::waitpid(writer, nullptr, 0);
    CHECK(good > 1000);
    REQUIRE(read_ring(path, kBoot));
    CHECK(sound(read_ring(path, kBoot)->text, 100));  // and not after its death in the midst of it
}

TEST_CASE("log ring: lines that memory has no room for are counted and said") {
    const TemporaryFolder folder;
    const std::string path = folder.path() + "/ring";
    LogRing ring(path, kBoot);
    ring.append("one\n", 1);
    ::signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    ::getrlimit(RLIMIT_FSIZE, &before);
    rlimit full = before;
    full.rlim_cur = 80;
    ::setrlimit(RLIMIT_FSIZE, &full);
    ring.append(std::string(100, 'x') + "\nyy\n", 2);
    ring.append(std::string(100, 'x') + "\n", 1);
    ::setrlimit(RLIMIT_FSIZE, &before);
    CHECK(read_ring(path, kBoot)->text == "one\n");
    ring.append("two\n", 1);
    const auto content = read_ring(path, kBoot);
    CHECK(content->text.find("thole: 3 lines before this one were lost\n") != std::string::npos);
    CHECK(content->text.ends_with("two\n"));
}

TEST_CASE("log ring: the last lines come from the ring, from the files where there is none") {
    const TemporaryFolder folder;
    const LogPlaces places = places_in(folder);
    CHECK(last_log_lines("a", 5, places).empty());
    REQUIRE(make_directories(places.files));
    REQUIRE(replace_file(places.file("a"), "-- boot x y\nold\n-- boot z y\nolder\nhalf", 0600));
    CHECK(last_log_lines("a", 5, places) == std::vector<std::string>{"old", "older"});
    CHECK(last_log_lines("a", 1, places) == std::vector<std::string>{"older"});
    LogRing ring(places.ring("a"), boot_number());
    ring.append("1\n2\n3\n", 3);
    CHECK(last_log_lines("a", 2, places) == std::vector<std::string>{"2", "3"});
    CHECK(last_log_lines("a", 0, places).empty());
}
