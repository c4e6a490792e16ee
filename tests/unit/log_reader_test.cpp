#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/text.hpp"
#include "log/log_file.hpp"
#include "log/log_reader.hpp"
#include "log/log_ring.hpp"
#include "log_places_of.hpp"
#include "os/file.hpp"

using namespace thole;

namespace {

constexpr std::int64_t kWall = 1'769'860'800'000;  // 2026-01-31T12:00:00Z

LogTime after(std::int64_t milliseconds) { return {kWall + milliseconds, 1000 + milliseconds}; }

/// Files of three boots: "old", "before" and this one, a line a second.
struct Scene {
    Scene() : places(places_in(folder)) {
        write("old", 0, 10, -7'200'000);
        write("before", 10, 20, -3'600'000);
        write(boot_identity(), 20, 30, 0);
    }

    void write(const std::string& boot, int first, int last, std::int64_t offset, std::int64_t size = 600) {
        LogFile file(places.file("a"), boot);
        file.set_limits(size, 20);
        for (int number = first; number < last; ++number) {
            LogTime time = after(std::int64_t{number - first} * 1000);
            time.wall += offset;
            file.add(concat("line ", number, "\n"), time, 0);
        }
    }

    /// The numbers of the lines that a reader still has, "first-last(count)".
    std::string rest(LogReader& reader, const LogFilter& filter = {}) const {
        std::string first;
        std::string last;
        int count = 0;
        while (reader.next()) {
            if (filter.wants(reader)) {
                last = reader.text().substr(reader.text().find(' ') + 1);
                first = first.empty() ? last : first;
                ++count;
            }
        }
        return concat(first, "-", last, "(", count, ")");
    }

    std::string all(const LogFilter& filter) const {
        LogReader reader(places, "a");
        reader.open();
        return rest(reader, filter);
    }

    TemporaryFolder folder;
    LogPlaces places;
};

}  // namespace

TEST_CASE("log reader: all files from the oldest line to the newest, and each line's boot") {
    const Scene scene;
    CHECK(path_exists(scene.places.file("a") + ".2"));
    LogReader reader(scene.places, "a");
    reader.open();
    REQUIRE(reader.next());
    CHECK(reader.boot() == "old");
    CHECK(reader.text() == "line 0");
    CHECK(reader.time().boot == 1000);
    CHECK(scene.rest(reader) == "1-29(29)");
    CHECK(reader.boot() == boot_identity());
    CHECK(!reader.next());
}

TEST_CASE("log reader: the last lines, whatever files they are in") {
    const Scene scene;
    for (const std::size_t lines : {0U, 1U, 5U, 12U, 29U, 30U, 1000U}) {
        LogReader reader(scene.places, "a");
        reader.open(lines);
        std::size_t count = 0;
        while (reader.next()) {
            ++count;
        }
        CHECK(count == std::min<std::size_t>(lines, 30));
        CHECK((lines == 0 || reader.text() == "line 29"));
    }
}

TEST_CASE("log reader: a log that does not exist has no lines") {
    const TemporaryFolder folder;
    LogReader reader(places_in(folder), "none");
    reader.open(10);
    CHECK(!reader.next());
    reader.take_ring();
    CHECK(!reader.next());
}

TEST_CASE("log reader: it goes on over rotations, also several in between, and misses and doubles nothing") {
    Scene scene;
    LogReader reader(scene.places, "a");
    reader.open();
    CHECK(scene.rest(reader) == "0-29(30)");
    CHECK(!reader.next());
    scene.write(boot_identity(), 30, 31, 20'000);
    CHECK(scene.rest(reader) == "30-30(1)");
    scene.write(boot_identity(), 31, 80, 20'000);
    CHECK(scene.rest(reader) == "31-79(49)");
}

TEST_CASE("log reader: a line shows only when it is whole") {
    const TemporaryFolder folder;
    const LogPlaces places = places_in(folder);
    REQUIRE(make_directories(places.files));
    REQUIRE(replace_file(places.file("a"), stamp_text(after(0)) + "one\n" + stamp_text(after(0)) + "tw", 0600));
    LogReader reader(places, "a");
    reader.open();
    REQUIRE(reader.next());
    CHECK(!reader.next());
    const Fd file = std::move(open_file(places.file("a"), O_WRONLY | O_APPEND).value());
    REQUIRE(write_all(file.get(), "o\nwithout a stamp\n", "a"));
    REQUIRE(reader.next());
    CHECK(reader.text() == "two");
    REQUIRE(reader.next());
    CHECK(reader.text() == "without a stamp");
    CHECK(reader.time().wall == kWall);
}

TEST_CASE("log reader: since and boot choose lines") {
    const Scene scene;
    const LogTime time = after(9000);
    LogFilter filter;
    filter.current_boot = boot_identity();
    REQUIRE(set_since(filter, "3s", time));
    CHECK(scene.all(filter) == "26-29(4)");
    REQUIRE(set_since(filter, "1h", time));
    CHECK(scene.all(filter) == "19-29(11)");
    filter = {};
    REQUIRE(set_since(filter, "2026-01-31 11:00:05", time));
    CHECK(scene.all(filter) == "15-29(15)");
    REQUIRE(set_since(filter, "12:00:05", time));
    CHECK(scene.all(filter) == "25-29(5)");
    CHECK(!set_since(filter, "soon", time));
    filter = {};
    filter.boot = "before";
    CHECK(scene.all(filter) == "10-19(10)");
}

TEST_CASE("log reader: a span of time is one of this boot's clock, whatever the wall clock did") {
    Scene scene;
    scene.write(boot_identity(), 30, 33, -10LL * 365 * 86'400'000);  // the clock was set ten years back
    LogFilter filter;
    filter.current_boot = boot_identity();
    LogTime time = after(3000);
    time.wall -= 10LL * 365 * 86'400'000;
    REQUIRE(set_since(filter, "2s", time));
    CHECK(scene.all(filter) == "21-32(11)");  // 21 to 29 and 31 to 32: from two seconds of uptime on
}

TEST_CASE("log reader: boots are in the order of time, this one is the last") {
    const Scene scene;
    const std::string current = boot_identity();
    CHECK(boots_in(scene.places, {"a"}, current) == std::vector<std::string>{"old", "before", current});
    CHECK(boots_in(scene.places, {"none"}, current) == std::vector<std::string>{current});
    CHECK(log_names(scene.places) == std::vector<std::string>{"a"});
}

TEST_CASE("log reader: what the files do not have comes from the ring, once") {
    Scene scene;
    LogRing ring(scene.places.ring("a"), boot_number());
    for (int number = 25; number < 35; ++number) {
        ring.append(concat(stamp_text(after(std::int64_t{number - 20} * 1000)), "line ", number, "\n"), 1);
    }
    LogReader reader(scene.places, "a");
    reader.open();
    CHECK(scene.rest(reader) == "0-29(30)");
    reader.take_ring(1000 + 12'000);
    CHECK(scene.rest(reader) == "30-31(2)");
    reader.take_ring();
    CHECK(scene.rest(reader) == "32-34(3)");
    reader.take_ring();
    CHECK(!reader.next());
    scene.write(boot_identity(), 30, 33, 0);  // late; at the times of lines 20 to 22
    CHECK(!reader.next());
    const std::string current = boot_identity();
    LogFile file(scene.places.file("a"), current);
    file.add("line 35\n", after(15'000), 0);
    CHECK(scene.rest(reader) == "35-35(1)");
}

TEST_CASE("log reader: without any file the ring is the log") {
    const TemporaryFolder folder;
    const LogPlaces places = places_in(folder);
    LogRing ring(places.ring("a"), boot_number());
    ring.append(stamp_text(after(0)) + "one\n" + stamp_text(after(0)) + "two\n", 2);
    LogReader reader(places, "a");
    reader.open(10);
    CHECK(!reader.next());
    reader.take_ring();
    REQUIRE(reader.next());
    CHECK(reader.text() == "one");
    REQUIRE(reader.next());
    CHECK(reader.boot() == boot_identity());
    CHECK(!reader.next());
    CHECK(log_names(places) == std::vector<std::string>{"a"});
}
