#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <vector>

#include "base/text.hpp"

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

TEST_CASE("text: hexadecimal, two small digits a byte") {
    CHECK(hexadecimal({}).empty());
    CHECK(hexadecimal(std::array<std::uint8_t, 3>{0, 0xa5, 0xff}) == "00a5ff");
}
