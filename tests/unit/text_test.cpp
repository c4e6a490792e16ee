#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <vector>

#include "base/text.hpp"
#include "control/protocol.hpp"
#include "os/notify.hpp"
#include "os/probe.hpp"
#include "os/spawn.hpp"

using namespace thole;

TEST_CASE("text: durations and sizes have units, bounds and one meaning") {
    CHECK(parse_duration("200ms").value() == Milliseconds(200));
    CHECK(parse_duration("5").value() == Milliseconds(5000));
    CHECK(parse_duration("1h").value() == Milliseconds(3'600'000));
    CHECK(!parse_duration("1d"));
    CHECK(!parse_duration("9000h"));
    CHECK(!parse_duration(""));
    CHECK(parse_size("4K").value() == 4096);
    CHECK(!parse_size("9223372036854775807T"));
    CHECK(!parse_integer("12x", 0, 100));
    CHECK(!parse_integer("101", 0, 100));
}

TEST_CASE("text: the nearest name is found, and a far one is not offered") {
    static constexpr std::array<std::string_view, 3> kNames{"address", "gateway", "dns"};
    CHECK(nearest_name("adress", kNames) == "address");
    CHECK(nearest_name("zzzzzz", kNames).empty());
}

TEST_CASE("text: names are put in order, and equal ones keep theirs") {
    using Order = std::vector<std::size_t>;
    CHECK(order_of({}) == Order{});
    CHECK(order_of({"b", "a", "ab", ""}) == Order{3, 1, 2, 0});
    CHECK(order_of({"same", "one", "same", "same"}) == Order{1, 0, 2, 3});
}

TEST_CASE("text: JSON strings are valid whatever the bytes") {
    CHECK(json_string("a\"b\\c\n") == "\"a\\\"b\\\\c\\u000a\"");
    CHECK(json_string("\xC3\xA9") == "\"\xC3\xA9\"");
    CHECK(json_string("\xFF") == "\"\xEF\xBF\xBD\"");
    CHECK(json_string("\xC0\xAF") == "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

TEST_CASE("notify: lines are read, unknown and broken ones passed over") {
    const auto said = parse_notification("STATUS=almost\nREADY=1\nX\n=\nFOO=bar");
    CHECK(said.ready);
    CHECK(said.status == "almost");
    CHECK(!parse_notification("READY=10").ready);
    CHECK(!parse_notification("").ready);
    CHECK(parse_notification("STATUS=" + std::string(5000, 'x')).status.size() == 200);
}

TEST_CASE("protocol: a status line survives its way, also with odd text in it") {
    const UnitStatus status{"kubelet", "delayed", -1, 12'345, 800, 3, "The node agent", "exit status 1\tand\nmore"};
    const auto decoded = decode(encode(status));
    REQUIRE(decoded);
    REQUIRE(decoded->size() == 1);
    CHECK(decoded->at(0).name == "kubelet");
    CHECK(decoded->at(0).restarts == 3);
    CHECK(decoded->at(0).reason == "exit status 1 and more");
    CHECK(!decode("a\tb\n"));
}

TEST_CASE("probe: addresses are numeric and whole") {
    CHECK(parse_tcp_address("127.0.0.1:6443"));
    CHECK(parse_tcp_address("[::1]:53"));
    CHECK(!parse_tcp_address("localhost:80"));
    CHECK(!parse_tcp_address("127.0.0.1:0"));
    CHECK(!parse_tcp_address("127.0.0.1"));
    CHECK(!unix_address(std::string(200, 'x')));
}

TEST_CASE("spawn: the environment is put into arguments") {
    const std::vector<std::string> environment{"A=1", "NAME=node0", "A=2"};
    CHECK(expand_environment("--name=${NAME}-${A}", environment).value() == "--name=node0-2");
    CHECK(expand_environment("$$ $x ${", environment).value() == "$ $x ${");
    CHECK(!expand_environment("${MISSING}", environment));
}
