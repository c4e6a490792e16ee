#include <doctest/doctest.h>

#include "fake_platform.hpp"
#include "supervisor/graph.hpp"
#include "supervisor/unit.hpp"

using namespace thole;

namespace {

Result<Unit> parse(std::string_view text) {
    return parse_unit("/units/x.unit", text,
                      [](std::string_view value) -> Result<std::string> { return std::string(value); });
}

std::string error_of(std::string_view text) {
    const auto unit = parse(text);
    return unit ? "no error" : unit.error().message;
}

Unit named(std::string name, std::vector<std::string> required = {}, std::vector<std::string> after = {}) {
    Unit unit;
    unit.name = std::move(name);
    unit.required = std::move(required);
    unit.after = std::move(after);
    return unit;
}

std::string graph_error(std::vector<Unit> units) {
    const auto graph = Graph::build(std::move(units));
    return graph ? "no error" : graph.error().message;
}

}  // namespace

TEST_CASE("unit: a whole unit is read") {
    const auto unit = parse("[unit]\ndescription = A server\nrequires = a b\nrequires_note_is_absent = 1\n");
    CHECK(!unit);
    const auto good = parse(
        "[unit]\ndescription = A server\nrequires = a b\ncondition-path = !/dev/x\n"
        "[service]\ncommand = /bin/server --name \"two words\"\n    --more 'it''s'\nenvironment = A=1 B=2\n"
        "readiness = tcp\nreadiness-target = 127.0.0.1:80\nreadiness-timeout = 2m\nrestart = always\nkill = process\n"
        "[cgroup]\nmemory.max = 64M\ncpu.max = 150%\n[log]\nsize = 1M\ncount = 3\n");
    REQUIRE(good);
    CHECK(good->name == "x");
    CHECK(good->required == std::vector<std::string>{"a", "b"});
    CHECK(good->command == std::vector<std::string>{"/bin/server", "--name", "two words", "--more", "its"});
    CHECK(good->conditions.at(0).negated);
    CHECK(good->readiness_timeout == Milliseconds(120'000));
    CHECK(good->kill == KillMode::process);
    CHECK(good->cgroup.at(0).value == "67108864");
    CHECK(good->cgroup.at(1).value == "150000 100000");
    CHECK(good->log_count == 3);
}

TEST_CASE("unit: errors name file, line, what was read and the nearest name") {
    CHECK(error_of("[service]\ncomand = /bin/x\n") ==
          "/units/x.unit:2: unknown key 'comand' in [service]; did you mean 'command'?");
    CHECK(error_of("[servise]\ncommand = /bin/x\n") ==
          "/units/x.unit:2: unknown section [servise]; did you mean 'service'?");
    CHECK(error_of("[service]\ncommand = /bin/x\nrestart = sometimes\n") ==
          "/units/x.unit:3: restart: 'sometimes' is not one of always, on-failure, never");
    CHECK(error_of("[service]\ncommand = /bin/x\nstop-timeout = -1s\n").find("not a time") != std::string::npos);
    CHECK(error_of("[service]\ncommand = /bin/x\nstop-timeout = 99999999999999999999\n").find("not a time") !=
          std::string::npos);
    CHECK(error_of("[service]\ncommand = /bin/x\nnice = 1\nnice = 2\n") ==
          "/units/x.unit:4: 'nice' is given twice; the first is in line 3");
    CHECK(error_of("[service]\nrestart = never\n") == "/units/x.unit: there is no 'command' in [service]");
    CHECK(error_of("[service]\ncommand = \"open\n").find("is not closed") != std::string::npos);
    CHECK(error_of("[service]\ncommand = /bin/x\nreadiness = tcp\n").find("readiness-target") != std::string::npos);
    CHECK(error_of(std::string_view("[service]\ncommand = /bin/x\0\n", 28)).find("NUL") != std::string::npos);
    CHECK(error_of("command = /bin/x\n").find("before the first [section]") != std::string::npos);
    CHECK(error_of("[service\n").find("/units/x.unit:1") == 0);
}

TEST_CASE("unit: a byte order mark and carriage returns are no obstacle") {
    const auto unit = parse("\xEF\xBB\xBF[service]\r\ncommand = /bin/x\r\n");
    REQUIRE(unit);
    CHECK(unit->command == std::vector<std::string>{"/bin/x"});
}

TEST_CASE("unit: a name that leads out of the directory is refused") {
    const Expander same = [](std::string_view value) -> Result<std::string> { return std::string(value); };
    CHECK(!parse_unit("...unit", "", same));
    CHECK(!parse_unit("a b.unit", "", same));
    CHECK(!parse_unit("x.conf", "", same));
    CHECK(!parse_unit("kernel.unit", "[service]\ncommand = /bin/x\n", same));
}

TEST_CASE("graph: cycles are refused with their whole path") {
    CHECK(graph_error(list(named("a", {"b"}), named("b", {"c"}), named("c", {"a"}))) ==
          "units wait for each other in a circle: a -> b -> c -> a; take one of these dependencies away");
    CHECK(graph_error(list(named("a", {"a"}))).find("a -> a") != std::string::npos);
    CHECK(graph_error(list(named("a", {}, {"b"}), named("b", {}, {"a"}))).find("circle") != std::string::npos);
}

TEST_CASE("graph: a missing requirement names the nearest unit, a missing order says nothing") {
    CHECK(graph_error(list(named("kubelet", {"contanerd"}), named("containerd"))) ==
          "unit 'kubelet' requires 'contanerd': there is no unit 'contanerd'; did you mean 'containerd'?");
    CHECK(graph_error(list(named("a", {}, {"b"}))) == "no error");
    CHECK(graph_error(list(named("a"), named("a"))) == "there are two units called 'a'");
}

TEST_CASE("graph: a thousand units in a row are checked without deep recursion") {
    std::vector<Unit> units;
    for (int number = 0; number < 1000; ++number) {
        units.push_back(named("u" + std::to_string(number)));
        if (number > 0) {
            units.back().after = {"u" + std::to_string(number - 1)};
        }
    }
    CHECK(graph_error(std::move(units)) == "no error");
}
