#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>

#include "base/text.hpp"
#include "log/log_file.hpp"
#include "log_places_of.hpp"
#include "os/file.hpp"

using namespace thole;

namespace {

constexpr LogTime kTime{1'769'860'800'123, 12'345};
constexpr std::string_view kMarker = "-- boot this 2026-01-31T12:00:00.123Z\n";
constexpr std::string_view kStamp = "2026-01-31T12:00:00.123Z [   12.345] ";
const std::string kBoot = "this";

/// No file of this process may become larger: a full disk.
class FullDisk {
   public:
    explicit FullDisk(rlim_t bytes) {
        ::signal(SIGXFSZ, SIG_IGN);
        ::getrlimit(RLIMIT_FSIZE, &before_);
        rlimit full = before_;
        full.rlim_cur = bytes;
        ::setrlimit(RLIMIT_FSIZE, &full);
    }
    ~FullDisk() { ::setrlimit(RLIMIT_FSIZE, &before_); }
    FullDisk(const FullDisk&) = delete;
    FullDisk& operator=(const FullDisk&) = delete;

   private:
    rlimit before_{};
};

std::string content(const std::string& path) { return read_file(path).value_or("(none)"); }

}  // namespace

TEST_CASE("log file: lines have stamps, a file begins with its boot") {
    const TemporaryFolder folder;
    const std::string path = folder.path() + "/made/a.log";
    LogFile file(path, kBoot);
    file.add("one\ntwo\n", kTime, 0);
    file.add("three\n", kTime, 0);
    CHECK(content(path) == concat(kMarker, kStamp, "one\n", kStamp, "two\n", kStamp, "three\n"));
    file.add("", kTime, 7);
    CHECK(content(path).ends_with(concat(kStamp, "thole: 7 lines before this one were lost\n")));
    CHECK(file.lost() == 0);
}

TEST_CASE("log file: rotation keeps the newest files, each begins with its boot, and no line is lost or doubled") {
    const TemporaryFolder folder;
    const std::string path = folder.path() + "/a.log";
    LogFile file(path, kBoot);
    file.set_limits(1000, 3);
    for (int number = 0; number < 100; ++number) {
        file.add(concat("line ", number, "\n"), kTime, 0);
    }
    CHECK(!path_exists(path + ".3"));
    std::string all;
    for (const char* ending : {".2", ".1", ""}) {
        const std::string text = content(path + ending);
        CHECK(text.starts_with(kMarker));
        CHECK(text.size() < 1100);
        all += text.substr(kMarker.size());
    }
    int number = 100 - static_cast<int>(count_lines(all));
    CHECK(number < 70);
    for (const auto line : split(std::string_view(all).substr(0, all.size() - 1), '\n')) {
        CHECK(line == concat(kStamp, "line ", number++));
    }
    CHECK(number == 100);
}

TEST_CASE("log file: other limits hold from the next line on") {
    const TemporaryFolder folder;
    const std::string path = folder.path() + "/a.log";
    LogFile file(path, kBoot);
    file.set_limits(100'000, 1);
    file.add(std::string(5000, 'x') + "\n", kTime, 0);
    file.set_limits(1000, 2);
    file.add("new\n", kTime, 0);
    CHECK(content(path + ".1").size() > 5000);
    CHECK(content(path) == concat(kMarker, kStamp, "new\n"));
}

TEST_CASE("log file: a full disk leaves whole lines, and the loss is counted and said") {
    const TemporaryFolder folder;
    const std::string path = folder.path() + "/a.log";
    LogFile file(path, kBoot);
    file.add("one\n", kTime, 0);
    const std::string before = content(path);
    {
        const FullDisk full(before.size() + 60);
        file.add("two\nthree\nfour\n", kTime, 0);
        CHECK(content(path) == concat(before, kStamp, "two\n"));
        CHECK(file.lost() == 2);
        file.add("five\n", kTime, 3);
        CHECK(file.lost() == 6);
        CHECK(content(path) == concat(before, kStamp, "two\n"));
    }
    file.add("six\n", kTime, 0);
    CHECK(content(path) ==
          concat(before, kStamp, "two\n", kStamp, "thole: 6 lines before this one were lost\n", kStamp, "six\n"));
}

TEST_CASE("log file: a full disk at the very first line loses nothing but the line") {
    const TemporaryFolder folder;
    const std::string path = folder.path() + "/a.log";
    LogFile file(path, kBoot);
    {
        const FullDisk full(10);
        file.add("one\n", kTime, 0);
    }
    CHECK(content(path).empty());
    file.add("two\n", kTime, 0);
    CHECK(content(path) == concat(kMarker, kStamp, "thole: 1 lines before this one were lost\n", kStamp, "two\n"));
}

TEST_CASE("log file: where renaming fails the log goes on and stays whole") {
    const TemporaryFolder folder;
    const std::string path = folder.path() + "/a.log";
    LogFile file(path, kBoot);
    file.set_limits(200, 3);
    REQUIRE(make_directories(path + ".1/x"));  // no file can take this place
    for (int number = 0; number < 50; ++number) {
        file.add(concat("line ", number, "\n"), kTime, 0);
    }
    CHECK(file.lost() == 0);
    std::size_t lines = 0;
    for (const char* ending : {"", ".1", ".2"}) {
        lines += count_lines(content(path + ending));
    }
    CHECK(lines >= 50);
}

TEST_CASE("log file: half a line that a power cut has left does not swallow the next") {
    const TemporaryFolder folder;
    const std::string path = folder.path() + "/a.log";
    REQUIRE(replace_file(path, "half", 0600));
    LogFile file(path, kBoot);
    file.add("one\n", kTime, 0);
    CHECK(content(path) == concat("half\n", kMarker, kStamp, "one\n"));
}

TEST_CASE("log file: one that was deleted or cut is noticed, one that is no file is not written to") {
    const TemporaryFolder folder;
    const std::string path = folder.path() + "/a.log";
    LogFile file(path, kBoot);
    file.add("one\n", kTime, 0);
    REQUIRE(::unlink(path.c_str()) == 0);
    file.add("two\n", kTime, 0);
    CHECK(content(path) == concat(kMarker, kStamp, "two\n"));
    const std::string odd = folder.path() + "/b.log";
    REQUIRE(::symlink(path.c_str(), odd.c_str()) == 0);
    LogFile link(odd, kBoot);
    link.add("three\n", kTime, 0);
    CHECK(link.lost() == 1);
}
