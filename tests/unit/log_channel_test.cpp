// PID 1's side of the logger.
#include <doctest/doctest.h>

#include <vector>

#include "logger_scene.hpp"

using namespace thole;

namespace {

/// How many lines of a log of PID 1's own begin with the word, and how many it says to be lost.
std::pair<std::int64_t, std::int64_t> lines_and_lost(std::string_view text, std::string_view word) {
    std::int64_t lines = 0;
    std::int64_t lost = 0;
    for (const auto line : split(text, '\n')) {
        const auto said = line.substr(std::min(line.find("] ") + 2, line.size()));
        lines += said.starts_with(word) ? 1 : 0;
        if (said.ends_with(" lines before this one were lost")) {
            lost += parse_integer(split_words(said)[0], 1, INT64_MAX).value();
        }
    }
    return {lines, lost};
}

}  // namespace

TEST_CASE("log channel: PID 1's own messages never wait; those that no pipe took are counted, and said with the next") {
    LoggerScene scene;
    constexpr int kCount = 1000;
    for (int count = 0; count < kCount; ++count) {
        scene.channel.write_own("early " + std::string(994, 'x'));
    }
    scene.start();
    int later = 0;
    wait_for([&] {
        scene.channel.write_own("later");
        ++later;
        return scene.ring("thole").find("later") != std::string::npos;
    });
    scene.end();
    const std::string text = scene.file("thole");
    const auto [early, lost] = lines_and_lost(text, "early");
    CHECK(early > 0);
    CHECK(lost > 0);
    CHECK(early + lost + lines_and_lost(text, "later").first == kCount + later);
}

TEST_CASE("log channel: names are found among a thousand, added and removed in any order") {
    LogChannel channel;
    for (int number = 0; number < 300; ++number) {
        REQUIRE(channel.add(concat("s", number * 7919 % 300), 1 << 20, 2));
    }
    for (int number = 0; number < 300; ++number) {
        CHECK(channel.output_of(concat("s", number)) >= 0);
    }
    CHECK(channel.output_of("s") == -1);
    CHECK(channel.output_of("zz") == -1);
    for (int number = 0; number < 300; number += 2) {
        channel.remove(concat("s", number));
    }
    for (int number = 0; number < 300; ++number) {
        CHECK((channel.output_of(concat("s", number)) >= 0) == (number % 2 == 1));
    }
}

TEST_CASE("log channel: the logger's command says what it is to do") {
    CHECK(logger_command({}) == std::vector<std::string>{"/proc/self/exe", "logger"});
    const LogOptions options{"udp:127.0.0.1:514", "json", true};
    CHECK(logger_command(options) == std::vector<std::string>{"/proc/self/exe", "logger", "--kernel", "--forward",
                                                              "udp:127.0.0.1:514", "--format", "json"});
}
