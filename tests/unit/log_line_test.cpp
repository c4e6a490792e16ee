#include <doctest/doctest.h>

#include "log/forward_format.hpp"
#include "log/kernel_log.hpp"
#include "log/log_line.hpp"

using namespace thole;

namespace {

constexpr std::int64_t kWall = 1'769'860'800'123;  // 2026-01-31T12:00:00.123Z

std::string cut(LineCutter& cutter, std::string_view bytes) {
    std::string out;
    cutter.take(bytes, out);
    return out;
}

}  // namespace

TEST_CASE("log line: a stamp has both clocks and is read back") {
    const LogTime time{kWall, 12'345};
    CHECK(stamp_text(time) == "2026-01-31T12:00:00.123Z [   12.345] ");
    CHECK(stamp_text({kWall, 123'456'789}) == "2026-01-31T12:00:00.123Z [123456.789] ");
    const std::string line = stamp_text(time) + "a [b] c";
    const auto read = parse_line(line);
    REQUIRE(read);
    CHECK(read->time.wall == kWall);
    CHECK(read->time.boot == 12'345);
    CHECK(read->text == "a [b] c");
    for (const char* broken : {"", "x", "2026-01-31T12:00:00.123Z", "2026-01-31T12:00:00.123Z [   12.345]",
                               "2026-13-31T12:00:00.123Z [   12.345] x", "2026-01-31T12:00:00.123Z [   12] x"}) {
        CHECK(!parse_line(broken));
    }
}

TEST_CASE("log line: dates are those of the calendar, from the first day to the last") {
    CHECK(time_text(0) == "1970-01-01T00:00:00.000Z");
    CHECK(time_text(-5) == "1970-01-01T00:00:00.000Z");
    CHECK(time_text(951'782'400'000) == "2000-02-29T00:00:00.000Z");
    CHECK(time_text(INT64_MAX) == "9999-12-31T23:59:59.999Z");
    for (std::int64_t day = 0; day < 200'000; ++day) {
        const std::int64_t wall = day * 86'400'000 + 43'200'001;
        REQUIRE(parse_time(time_text(wall), 0) == wall);
    }
}

TEST_CASE("log line: a time may be a date, a time of that day, or a time of today") {
    CHECK(parse_time("2026-01-31", 0) == kWall - kWall % 86'400'000);
    CHECK(parse_time("2026-01-31T12:00", 0) == kWall - 123);
    CHECK(parse_time("2026-01-31 12:00:00.1239Z", 0) == kWall);
    CHECK(parse_time("12:00", kWall + 3'600'000) == kWall - 123);
    for (const char* wrong : {"", "yesterday", "2026-01", "2026-1-31", "2026-01-31x", "2026-01-31T", "25:00", "12:60",
                              "12", "12:00x", "1969-01-01"}) {
        CHECK(!parse_time(wrong, 0));
    }
}

TEST_CASE("log line: no service can forge the marker of a boot") {
    const std::string marker = boot_marker("abc.12", kWall);
    CHECK(marker == "-- boot abc.12 2026-01-31T12:00:00.123Z\n");
    CHECK(marked_boot(marker) == "abc.12");
    CHECK(marked_boot(stamp_text({kWall, 1}) + marker).empty());
    CHECK(boot_marker("", 0).starts_with("-- boot unknown "));
}

TEST_CASE("log line: lines are whole however they arrive") {
    LineCutter cutter;
    CHECK(cut(cutter, "one\ntw").compare("one\n") == 0);
    CHECK(cut(cutter, "o") == "");
    CHECK(cut(cutter, "\n\nthree") == "two\n\n");
    std::string rest;
    cutter.finish(rest);
    CHECK(rest == "three\n");
    rest.clear();
    cutter.finish(rest);
    CHECK(rest.empty());
}

TEST_CASE("log line: a line that is too long comes in pieces, one of just that length does not") {
    const std::string longest(kLongestLine, 'x');
    LineCutter cutter;
    CHECK(cut(cutter, longest) == "");
    CHECK(cut(cutter, "\n") == longest + "\n");
    CHECK(cut(cutter, longest + "\n") == longest + "\n");
    CHECK(cut(cutter, longest + "y\n") == longest + "\ny\n");
    CHECK(cut(cutter, longest) == "");
    CHECK(cut(cutter, "y") == longest + "\n");
    CHECK(cut(cutter, "\n") == "y\n");
}

TEST_CASE("log line: stamps go on in parts of a bounded size") {
    const std::string many(100'000, '\n');
    std::string_view rest = many;
    std::size_t lines = 0;
    while (!rest.empty()) {
        std::string out;
        lines += stamp_lines(rest, {kWall, 1}, 1000, out);
        REQUIRE(out.size() < 1100);
        REQUIRE(out.ends_with("] \n"));
    }
    CHECK(lines == many.size());
}

TEST_CASE("kernel log: records are read as the kernel documents them") {
    const auto record = parse_kernel_record("6,339,5140900,-;NET: Registered; family 10\n SUBSYSTEM=net\n");
    REQUIRE(record);
    CHECK(record->priority == 6);
    CHECK(record->sequence == 339);
    CHECK(record->boot == 5140);
    CHECK(record->text == "NET: Registered; family 10");
    CHECK(parse_kernel_record("30,340,5140901,c,caller=T1;\n")->text.empty());
    for (const char* wrong : {"", "6,339,5140900,-", ";x", "6,339;x", "a,339,5140900,-;x", "6,-1,5140900,-;x",
                              "6,99999999999999999999,1,-;x"}) {
        CHECK(!parse_kernel_record(wrong));
    }
}

TEST_CASE("kernel log: what is not the kernel's device is not read") {
    CHECK(!KernelLog::open("/dev/null", 0));
    CHECK(!KernelLog::open("/does/not/exist", 0));
}

TEST_CASE("forward format: a syslog message as RFC 5424 has it") {
    const ForwardLine line{{kWall, 12'345}, kServicePriority, "node0", "kubelet", "hello"};
    CHECK(syslog_message(line) == "<30>1 2026-01-31T12:00:00.123Z node0 kubelet - - - hello");
    const std::string wide(60, 'n');
    const ForwardLine odd{{kWall, 0}, 4, "", wide, ""};
    CHECK(syslog_message(odd) == "<4>1 2026-01-31T12:00:00.123Z - " + wide.substr(0, 48) + " - - - ");
    const ForwardLine spaces{{kWall, 0}, 4, "a b", "\xC3\xA9", "x"};
    CHECK(syslog_message(spaces) == "<4>1 2026-01-31T12:00:00.123Z a_b __ - - - x");
}

TEST_CASE("forward format: a JSON object whatever the bytes") {
    const ForwardLine line{{kWall, 12'345}, kServicePriority, "node0", "kubelet", "say \"\xFF\"\t"};
    CHECK(json_message(line) ==
          "{\"time\": \"2026-01-31T12:00:00.123Z\", \"boot_ms\": 12345, \"host\": \"node0\", \"log\": \"kubelet\", "
          "\"priority\": 30, \"text\": \"say \\\"\xEF\xBF\xBD\\\"\\u0009\"}");
}
