// The logger as it runs: a process with its writer, real pipes, real files.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>

#include <array>

#include "log/log_line.hpp"
#include "log/tail.hpp"
#include "logger_scene.hpp"

using namespace thole;

namespace {

/// How many of a log's lines are there, and how many it says to be lost.
struct Count {
    std::int64_t lines = 0;
    std::int64_t lost = 0;

    [[nodiscard]] std::int64_t total() const { return lines + lost; }
};

Count count_of(const LogPlaces& places, const std::string& name) {
    constexpr std::string_view kSaid = "] thole: ";
    Count count;
    for (const char* ending : {".1", ""}) {
        const std::string text = read_file(places.file(name) + ending, SIZE_MAX).value_or("");
        std::string_view rest = text;
        while (!rest.empty()) {
            const auto line = rest.substr(0, rest.find('\n') + 1);
            rest.remove_prefix(line.size());
            const auto said = line.find(kSaid);
            if (said < 40) {
                const auto words = split_words(line.substr(said + kSaid.size()));
                count.lost += parse_integer(words[0], 0, INT64_MAX).value_or(-1);
            } else if (marked_boot(line).empty()) {
                ++count.lines;
            }
        }
    }
    return count;
}

/// Writes until the time is over; the longest that one write took.
Milliseconds write_for(int fd, Milliseconds time, std::int64_t& lines) {
    const std::string line(99, 'x');
    const std::string text = line + "\n" + line + "\n" + line + "\n" + line + "\n";
    Milliseconds longest(0);
    for (const Instant begin = now(); now() - begin < time;) {
        const Instant before = now();
        REQUIRE(write_all(fd, text, "a pipe"));
        lines += 4;
        longest = std::max(longest, now() - before);
    }
    return longest;
}

}  // namespace

TEST_CASE("logger: what services say is in the ring at once and on disk at the end") {
    LoggerScene scene;
    REQUIRE(scene.channel.add("a", 1 << 20, 2));
    scene.channel.write_own("early");
    scene.start();
    REQUIRE(scene.channel.add("b", 1 << 20, 2));
    scene.write("a", "one\ntwo\nwithout an end");
    scene.write("b", "three\n");
    scene.channel.write_own("late");
    wait_for([&] { return count_lines(scene.ring("a")) == 2 && count_lines(scene.ring("b")) == 1; });
    scene.end();
    CHECK(scene.status == 0);
    const std::string file = scene.file("a");
    CHECK(file.starts_with(concat("-- boot ", boot_identity(), " ")));
    CHECK(count_lines(file) == 4);
    CHECK(file.ends_with("] without an end\n"));
    CHECK(count_lines(scene.file("b")) == 2);
    CHECK(scene.file("thole").find("] early\n") != std::string::npos);
    CHECK(scene.file("thole").ends_with("] late\n"));
}

TEST_CASE("logger: everything that was read is on disk at the end, of every service") {
    LoggerScene scene;
    for (int number = 0; number < 50; ++number) {
        REQUIRE(scene.channel.add(concat("s", number), 1 << 20, 2));
    }
    scene.start();
    std::string text;
    for (int line = 0; line < 400; ++line) {
        text += std::string(99, 'x') + "\n";
    }
    for (int number = 0; number < 50; ++number) {
        scene.write(concat("s", number), text);
    }
    for (int number = 0; number < 50; ++number) {
        wait_for([&] { return count_lines(scene.ring(concat("s", number))) == 400; });
    }
    scene.end();
    std::int64_t lost = 0;
    for (int number = 0; number < 50; ++number) {
        // On a machine that is busy with other things the writer may end after the logger.
        wait_for([&] { return count_of(scene.places, concat("s", number)).total() == 400; });
        lost += count_of(scene.places, concat("s", number)).lost;
    }
    MESSAGE(lost, " of 20000 lines lost");
}

TEST_CASE("logger: a thousand pipes reach it, those too that its socket had no room for") {
    LoggerScene scene;
    for (int number = 0; number < 1000; ++number) {
        REQUIRE(scene.channel.add(concat("s", number), 1 << 20, 2));
    }
    scene.start();
    CHECK(scene.channel.pending());
    for (int number = 0; number < 1000; ++number) {
        scene.write(concat("s", number), concat("I am ", number, "\n"));
    }
    wait_for([&] {
        scene.channel.send_pending();
        return !scene.channel.pending();
    });
    scene.end();
    int right = 0;
    for (int number = 0; number < 1000; ++number) {
        wait_for([&] { return !scene.file(concat("s", number)).empty(); });
        right += scene.file(concat("s", number)).ends_with(concat("] I am ", number, "\n")) ? 1 : 0;
    }
    CHECK(right == 1000);
}

TEST_CASE("logger: with an event loop the rest of the pipes goes by itself") {
    LoggerScene scene;
    auto loop = std::move(EventLoop::make().value());
    scene.channel.attach(loop);
    for (int number = 0; number < 1000; ++number) {
        REQUIRE(scene.channel.add(concat("s", number), 1 << 20, 2));
    }
    scene.start();
    for (const Instant limit = now() + Milliseconds(20'000); scene.channel.pending() && now() < limit;) {
        loop.wait(limit);
    }
    CHECK(!scene.channel.pending());
}

TEST_CASE("logger: a writer that is stuck blocks no service, loses others nothing, and the loss is counted and said") {
    LoggerScene scene;
    for (const char* name : {"flood", "quiet"}) {
        REQUIRE(scene.channel.add(name, 1 << 30, 2));
    }
    scene.start();
    scene.write("quiet", "first\n");
    wait_for([&] { return count_lines(scene.file("quiet")) == 2; });
    const pid_t writer = scene.stop_writer();
    std::int64_t written = 0;
    const Milliseconds longest = write_for(scene.channel.output_of("flood"), Milliseconds(4000), written);
    MESSAGE("a stuck disk: the longest write took ", longest.count(), " ms (patience is 200), ", written / 40,
            " lines a 0.1 s");
    scene.write("quiet", "second\n");
    wait_for([&] { return scene.ring("quiet").ends_with("second\n"); });
    ::kill(writer, SIGCONT);
    wait_for([&] { return scene.file("quiet").ends_with("second\n"); });
    scene.write("flood", "the end\n");
    wait_for([&] { return scene.file("flood").ends_with("the end\n"); });
    scene.end();
    wait_for([&] { return count_of(scene.places, "flood").total() == written + 1; });
    CHECK(count_of(scene.places, "flood").lost > 0);
    CHECK(count_of(scene.places, "quiet").lost == 0);
}

TEST_CASE("logger: a hundred megabytes go through, whole or counted, and others are not held up") {
    LoggerScene scene;
    for (const char* name : {"flood", "quiet"}) {
        REQUIRE(scene.channel.add(name, INT64_C(1) << 30, 2));
    }
    scene.start();
    const Instant begin = now();
    const pid_t flood = ::fork();
    if (flood == 0) {
        std::string text;
        while (text.size() < 65'536) {
            text += std::string(99, 'x') + "\n";
        }
        for (std::size_t sent = 0; sent < 100'000'000; sent += text.size()) {
            if (!write_all(scene.channel.output_of("flood"), text, "flood")) {
                ::_exit(1);
            }
        }
        ::_exit(0);
    }
    Milliseconds slowest(0);
    int said = 0;
    for (; ::waitpid(flood, nullptr, WNOHANG) == 0; ++said) {
        const Instant before = now();
        const std::string line = concat("now ", said, "\n");
        scene.write("quiet", line);
        wait_for([&] { return scene.ring("quiet").ends_with(line); });
        slowest = std::max(slowest, now() - before);
    }
    const auto took = now() - begin;
    scene.end();
    wait_for([&] { return count_of(scene.places, "flood").total() >= 1'000'000; });
    const Count count = count_of(scene.places, "flood");
    MESSAGE("100 MB in ", took.count(), " ms, ", count.lost, " of ", count.lost + count.lines,
            " lines lost; another service's line was there after ", slowest.count(), " ms at the latest");
    CHECK((count.lines + count.lost) % 656 == 0);
    CHECK(count_of(scene.places, "quiet").lines == said);
    CHECK(count_of(scene.places, "quiet").lost == 0);
}

TEST_CASE("logger: when the writer dies, another goes on with what is in the queue") {
    LoggerScene scene;
    REQUIRE(scene.channel.add("a", 1 << 20, 2));
    scene.start();
    scene.write("a", "one\n");
    wait_for([&] { return scene.file("a").ends_with("one\n"); });
    const pid_t writer = scene.stop_writer();
    scene.write("a", "two\n");
    wait_for([&] { return scene.ring("a").ends_with("two\n"); });
    ::kill(writer, SIGKILL);
    wait_for([&] { return scene.file("a").ends_with("two\n"); });
    scene.write("a", "three\n");
    scene.end();
    CHECK(count_of(scene.places, "a").lines == 3);
    CHECK(count_of(scene.places, "a").lost == 0);
}

TEST_CASE("logger: when the logger dies, the next takes the pipes and the rings over") {
    LoggerScene scene;
    REQUIRE(scene.channel.add("a", 1 << 20, 2));
    scene.start();
    scene.write("a", "one\n");
    wait_for([&] { return scene.ring("a").ends_with("one\n"); });
    scene.kill_logger();
    scene.write("a", "two\n");
    scene.channel.write_own("without a logger");
    scene.start();
    wait_for([&] { return scene.ring("a").ends_with("two\n"); });
    CHECK(count_lines(scene.ring("a")) == 2);
    scene.end();
    CHECK(scene.file("a").ends_with("two\n"));
    CHECK(scene.file("thole").ends_with("] without a logger\n"));
}

TEST_CASE("logger: a stuck disk holds the end up for two seconds at the most") {
    LoggerScene scene;
    REQUIRE(scene.channel.add("a", 1 << 20, 2));
    scene.start();
    scene.write("a", "one\n");
    wait_for([&] { return scene.file("a").ends_with("one\n"); });
    const pid_t writer = scene.stop_writer();
    scene.write("a", "two\n");
    const Instant before = now();
    scene.end();
    CHECK(now() - before >= Milliseconds(1900));
    MESSAGE("the end with a stuck disk took ", (now() - before).count(), " ms");
    ::kill(writer, SIGCONT);  // its queue is closed: it writes what it has and ends
    wait_for([&] { return scene.file("a").ends_with("two\n"); });
}

TEST_CASE("logger: it does not heed SIGTERM") {
    LoggerScene scene;
    REQUIRE(scene.channel.add("a", 1 << 20, 2));
    scene.start();
    scene.write("a", "one\n");
    wait_for([&] { return scene.file("a").ends_with("one\n"); });
    ::kill(scene.writer(), SIGTERM);
    ::kill(scene.logger, SIGTERM);
    scene.write("a", "two\n");
    scene.end();
    CHECK(scene.status == 0);
    CHECK(scene.file("a").ends_with("two\n"));
}

TEST_CASE("logger: a service that is removed is read to its end, and may come again") {
    LoggerScene scene;
    REQUIRE(scene.channel.add("a", 1 << 20, 2));
    scene.start();
    const Fd service(::dup(scene.channel.output_of("a")));
    scene.channel.remove("a");
    CHECK(scene.channel.output_of("a") == -1);
    REQUIRE(write_all(service.get(), "last words\n", "a"));
    wait_for([&] { return scene.file("a").ends_with("last words\n"); });
    REQUIRE(scene.channel.add("a", 1 << 20, 2));
    scene.write("a", "again\n");
    wait_for([&] { return scene.file("a").ends_with("again\n"); });
    scene.channel.remove("a");
    wait_for([&] { return !path_exists(scene.places.ring("a")); });
}

TEST_CASE("logger: other figures hold from then on") {
    LoggerScene scene;
    REQUIRE(scene.channel.add("a", 1 << 20, 2));
    scene.start();
    scene.write("a", std::string(2000, 'x') + "\n");
    wait_for([&] { return !scene.file("a").empty(); });
    REQUIRE(scene.channel.add("a", 1000, 3));
    scene.write("a", "small\n");
    scene.end();
    CHECK(path_exists(scene.places.file("a") + ".1"));
    CHECK(count_lines(scene.file("a")) == 2);
}
