#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "control/commands.hpp"
#include "control/definition.hpp"
#include "control/figures.hpp"
#include "control/json.hpp"
#include "control/plot.hpp"
#include "control/states.hpp"
#include "control/table.hpp"
#include "control/tree.hpp"
#include "control/unit_changes.hpp"
#include "temporary_folder.hpp"

using namespace thole;

namespace {

using Places = std::vector<std::size_t>;

Result<Call> read(std::string_view usage, std::vector<std::string_view> words) {
    static std::vector<std::string_view> kept;
    kept = std::move(words);
    return read_call("verb", usage, kept);
}

void write(const std::string& path, std::string_view text) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path) << text;
}

}  // namespace

TEST_CASE("usage: what the line says is accepted, in any order") {
    constexpr std::string_view kUsage = "[--json] [-n|--lines COUNT] NAME...";
    const auto call = read(kUsage, {"a", "--lines", "5", "b", "--json"});
    REQUIRE(call);
    CHECK(call->has("--json"));
    CHECK(call->value("-n") == "5");
    CHECK(call->names == std::vector<std::string_view>{"a", "b"});
    CHECK(read(kUsage, {"-n", "7", "--lines=8", "a"})->value("-n") == "8");
    CHECK(read(kUsage, {"--", "--json"})->names == std::vector<std::string_view>{"--json"});
    CHECK(!read(kUsage, {"a"})->has("--json"));
}

TEST_CASE("usage: what is wrong is named, with the nearest option") {
    constexpr std::string_view kUsage = "[--json] [-n|--lines COUNT] NAME [FILE]";
    const auto why = [&](std::vector<std::string_view> words) {
        return read(kUsage, std::move(words)).error().message;
    };
    CHECK(why({"--jsn", "a"}) == "unknown option '--jsn'; did you mean '--json'?");
    CHECK(why({"--completely-different", "a"}) == "unknown option '--completely-different'");
    CHECK(why({"a", "-n"}) == "'-n' needs a value: COUNT");
    CHECK(why({"--json=yes", "a"}) == "'--json' takes no value");
    CHECK(why({"--json"}) == "NAME is missing");
    CHECK(why({"a", "b", "c"}) == "'c' is one word too many");
    CHECK(!read("", {"x"}));
    CHECK(read("[NAME...]", {}));
}

TEST_CASE("commands: every row of the table is whole, and help, reference and completion have it") {
    const std::string help = help_text();
    const std::string page = commands_reference();
    const std::string script = completion_script();
    for (const Command& command : commands()) {
        CAPTURE(command.name);
        CHECK((command.run != nullptr));
        CHECK(!command.meaning.empty());
        CHECK(help.find("  " + std::string(command.name) + " ") != std::string::npos);
        CHECK(page.find("| `thole " + std::string(command.name)) != std::string::npos);
        CHECK(script.find("        " + std::string(command.name) + ") words='") != std::string::npos);
        for (const OptionWords& option : options_of(command.usage)) {
            for (const std::string_view spelling : option.spellings) {
                CHECK(spelling.starts_with('-'));
                CHECK(script.find(spelling) != std::string::npos);
            }
        }
    }
    CHECK(script.find("words='--json --now'") != std::string::npos);
}

TEST_CASE("json: objects and arrays within one another") {
    Json json;
    json.begin_array();
    json.begin_object();
    json.text("name", "a\"b");
    json.known_number("pid", -1);
    json.number("n", -1);
    json.boolean("ok", true);
    json.begin_array("none");
    json.end_array();
    json.begin_object("in");
    json.text("x", "");
    json.end_object();
    json.end_object();
    json.text({}, "last");
    json.end_array();
    CHECK(json.finish() ==
          "[\n  {\"name\": \"a\\\"b\", \"pid\": null, \"n\": -1, \"ok\": true, \"none\": [], \"in\": {\"x\": \"\"}},\n"
          "  \"last\"\n]\n");
    Json line(Json::Form::one_line);
    line.begin_object();
    line.number("a", 1);
    line.number("b", 2);
    line.end_object();
    CHECK(line.finish() == "{\"a\": 1, \"b\": 2}\n");
    Json empty;
    empty.begin_array();
    empty.end_array();
    CHECK(empty.finish() == "[]\n");
}

TEST_CASE("table: columns are as wide as what is shown in them") {
    Table table("NAME >N TEXT");
    table.add("├ a");
    table.add_number(5);
    table.add("x");
    table.add("bb", "31");
    table.add_number(-1);
    table.add("");
    CHECK(table.finish() == "NAME  N  TEXT\n├ a   5  x\n\033[31mbb\033[0m    -  \n");
    CHECK(table.finish(false).starts_with("├ a  5  x\n"));
}

TEST_CASE("table: sizes, spans and orders for people") {
    CHECK(bytes_text(-1) == "-");
    CHECK(bytes_text(1023) == "1023B");
    CHECK(bytes_text(1024 * 1024 * 3 / 2) == "1.5M");
    CHECK(bytes_text(200LL << 20) == "200M");
    CHECK(span_text(59'999) == "59 s");
    CHECK(span_text(320'000) == "5 m 20 s");
    CHECK(span_text(26 * 3'600'000) == "1 d 2 h");
    CHECK(span_text(-5) == "0 s");
    CHECK(descending({1, 3, 2, 3}) == Places{1, 3, 2, 0});
    CHECK(descending({}) == Places{});
}

TEST_CASE("tree: each unit stands once, below the deepest that it needs") {
    // 0 needs nothing; 1 needs 0; 2 needs 0 and 1; 3 needs 0; 4 needs nothing
    const auto rows = tree_of({{}, {0}, {0, 1}, {0}, {}});
    REQUIRE(rows.size() == 5);
    Places order;
    for (const TreeRow& row : rows) {
        order.push_back(row.unit);
    }
    CHECK(order == Places{0, 1, 2, 3, 4});
    CHECK(rows[0].lines.empty());
    CHECK(rows[1].lines == "├ ");
    CHECK(rows[2].lines == "│ └ ");
    CHECK(rows[2].parent == 1);
    CHECK(rows[3].lines == "└ ");
    CHECK(rows[4].parent == kNoUnit);
}

TEST_CASE("tree: circles lose no unit, and a thousand in a chain are fast") {
    CHECK(tree_of({{1}, {0}, {1}, {}}).size() == 4);
    CHECK(tree_of({}).empty());
    std::vector<Places> chain(1000);
    for (std::size_t unit = 0; unit + 1 < chain.size(); ++unit) {
        chain[unit].push_back(unit + 1);  // the worst order: each needs a later one
    }
    const auto rows = tree_of(chain);
    REQUIRE(rows.size() == 1000);
    CHECK(rows[0].unit == 999);
    CHECK(rows[999].unit == 0);
}

TEST_CASE("chain: the way back from the last by those that held it up") {
    // 3 was last; it waited for 1 and 2, of which 2 was later; 2 waited for 0
    CHECK(critical_chain({{}, {0}, {0}, {1, 2}}, {10, 20, 30, 40}) == Places{0, 2, 3});
    CHECK(critical_chain({{}, {0}}, {50, 40}) == Places{0});
    CHECK(critical_chain({{1}, {0}}, {10, 10}) == Places{0});
    CHECK(critical_chain({{}, {}}, {-1, -1}).empty());
    CHECK(critical_chain({}, {}).empty());
}

TEST_CASE("plot: a bar for each unit that was started, in the order of the starts") {
    std::vector<UnitStatus> units(3);
    units[0].name = "late";
    units[0].started = 2000;
    units[0].took = 500;
    units[1].name = "early";
    units[1].description = "A & <B>";
    units[1].started = 1000;
    units[1].took = 250;
    units[2].name = "never";
    const std::string svg = plot_svg(units, {1, 0});
    CHECK(svg.starts_with("<svg "));
    CHECK(svg.ends_with("</svg>\n"));
    CHECK(svg.find("early (250 ms)") < svg.find("late (500 ms)"));
    CHECK(svg.find("never") == std::string::npos);
    CHECK(svg.find("A &amp; &lt;B&gt;") != std::string::npos);
    CHECK(svg.find("class=\"chain\"") != std::string::npos);
    CHECK(plot_svg({}, {}).ends_with("</svg>\n"));
}

TEST_CASE("figures: nested keys are added up") {
    CHECK(nested_sum("8:0 rbytes=10 wbytes=5\n8:16 rbytes=7 wbytes=1\n", "rbytes") == 17);
    CHECK(nested_sum("8:0 rbytes=10", "wbytes") == -1);
    CHECK(nested_sum("8:0 rbytes=x", "rbytes") == -1);
}

TEST_CASE("states: what they mean") {
    for (const std::string_view state : {"ready", "done", "skipped", "idle"}) {
        CHECK(is_as_it_should_be(state));
        CHECK(!is_on_its_way(state));
        CHECK(colour_of(state) == "32");
    }
    for (const std::string_view state :
         {"waiting", "preparing", "starting", "stopping", "clearing", "finishing", "delayed"}) {
        CHECK(is_on_its_way(state));
        CHECK(!is_as_it_should_be(state));
    }
    CHECK(needs_attention("failed"));
    CHECK(!needs_attention("stopped"));
    CHECK(colour_of("stopped").empty());
}

TEST_CASE("changes: when there is nothing more to wait for") {
    CHECK(has_settled("start", "ready", false));
    CHECK(has_settled("start", "done", false));
    CHECK(!has_settled("start", "failed", false));
    CHECK(has_settled("start", "failed", true));
    CHECK(has_settled("start", "delayed", true));
    CHECK(!has_settled("start", "starting", true));
    CHECK(!has_settled("restart", "ready", false));
    CHECK(has_settled("restart", "ready", true));
    CHECK(has_settled("stop", "stopped", false));
    CHECK(!has_settled("stop", "ready", true));
    CHECK(!has_settled("stop", "clearing", true));
    CHECK(!has_worked("start", "delayed"));
    CHECK(!has_worked("restart", "failed"));
    CHECK(has_worked("start", "skipped"));
    CHECK(has_worked("stop", "stopped"));
}

TEST_CASE("definition: what is in force, where it stands, and what is needed") {
    const TemporaryFolder folder;
    const std::string image = folder.path() + "/image";
    const std::string local = folder.path() + "/local";
    write(image + "/a.unit", "[unit]\nrequires = b\n  c\n[service]\ncommand = /bin/a\n  --one\n");
    write(image + "/b.unit", "[unit]\nafter = c\n[service]\ncommand = /bin/b\n");
    write(image + "/c.unit", "[service]\ncommand = /bin/c\n");
    write(local + "/a.unit.d/10.conf", "[unit]\nwants = nobody\n");
    write(local + "/a.unit.d/enabled.conf", "[unit]\nenabled = no\n");
    const std::vector<std::string_view> directories{image, local};
    const auto files = UnitFiles::find(directories);
    REQUIRE(files);
    const auto unit = read_definition(*files, "a");
    REQUIRE(unit);
    CHECK(unit->files.size() == 3);
    CHECK(unit->value("unit", "requires") == "b c");
    CHECK(unit->value("unit", "enabled") == "no");
    CHECK(unit->value("service", "command") == "/bin/a --one");
    const auto without = read_definition(*files, "a", local + "/a.unit.d/enabled.conf");
    REQUIRE(without);
    CHECK(without->files.size() == 2);
    CHECK(without->value("unit", "enabled").empty());
    CHECK(read_definition(*files, "nobody").error().code == ENOENT);
    const Needs needs = read_needs({"a", "b", "c"}, directories);
    CHECK(needs.needed[0] == Places{1, 2});
    CHECK(needs.needed[1].empty());
    CHECK(needs.ordered[1] == Places{2});
}
