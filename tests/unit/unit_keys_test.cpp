// The keys of units that are more than a number or a text, templates, drop-ins, and the reference page.
#include <doctest/doctest.h>

#include "supervisor/unit.hpp"
#include "supervisor/unit_schema.hpp"

using namespace thole;

namespace {

Result<std::string> same(std::string_view value) { return std::string(value); }

Result<Unit> service(std::string_view lines, std::string_view other = "") {
    return parse_unit("/units/x.unit", concat("[service]\ncommand = /bin/x\n", lines, "\n", other), same);
}

std::string error_of(std::string_view lines, std::string_view other = "") {
    const auto unit = service(lines, other);
    return unit ? "no error" : unit.error().message;
}

}  // namespace

TEST_CASE("keys: limits, umask, capabilities, groups and paths become plain data") {
    const auto unit = service(
        "limits = nofile=1024:2048 core=0\n  as=1G fsize=infinity\numask = 027\ncapabilities = net_admin CAP_SYS_TIME\n"
        "ambient-capabilities = net_admin\ngroups = disk video\nread-only-paths = /etc /usr\nprivate-tmp = yes\n"
        "no-new-privileges = yes\ngroup = daemon");
    REQUIRE(unit);
    const Confinement& confinement = *unit->confinement;
    CHECK(confinement.limits.size() == 4);
    CHECK(confinement.limits.at(0).soft == 1024);
    CHECK(confinement.limits.at(0).hard == 2048);
    CHECK(confinement.limits.at(2).hard == std::uint64_t{1} << 30);
    CHECK(confinement.limits.at(3).soft == ~std::uint64_t{0});
    CHECK(confinement.umask == 027);
    CHECK(confinement.capabilities == std::optional<std::uint64_t>((1U << 12) | (1U << 25)));
    CHECK(confinement.groups == std::vector<std::string>{"disk", "video"});
    CHECK(confinement.read_only_paths.size() == 2);
    CHECK(confinement.private_tmp);
    CHECK(unit->group == "daemon");
    CHECK(!service("nice = 5")->confinement);
    CHECK(service("capabilities = none")->confinement->capabilities == std::optional<std::uint64_t>(0));
}

TEST_CASE("keys: wrong values say what is allowed") {
    CHECK(error_of("limits = nofiles=1").find("there is no limit 'nofiles'; did you mean 'nofile'?") !=
          std::string::npos);
    CHECK(error_of("limits = nofile=2:1").find("above the hard one") != std::string::npos);
    CHECK(error_of("limits = nofile").find("not a size") != std::string::npos);
    CHECK(error_of("capabilities = net_admn").find("did you mean 'net_admin'?") != std::string::npos);
    CHECK(error_of("umask = 99").find("octal") != std::string::npos);
    CHECK(error_of("umask = 1777").find("octal") != std::string::npos);
    CHECK(error_of("read-only-paths = etc").find("not an absolute path") != std::string::npos);
    CHECK(error_of("type = forking").find("belong together") != std::string::npos);
    CHECK(error_of("pid-file = /run/x.pid").find("belong together") != std::string::npos);
    CHECK(error_of("watchdog = 5s").find("readiness = notify") != std::string::npos);
    CHECK(error_of("readiness = fd\nreadiness-target = 2").find("from 3 to 99") != std::string::npos);
    CHECK(error_of("readiness = file").find("readiness-target") != std::string::npos);
    CHECK(error_of("start-limit-count = -1").find("0 to 10000") != std::string::npos);
    CHECK(error_of("post-stop =").find("the command is empty") != std::string::npos);
    CHECK(error_of("", "[timer]\nevery = 1h\non-calendar = daily\n").find("one of 'every' and 'on-calendar'") !=
          std::string::npos);
    CHECK(error_of("", "[timer]\njitter = 1h\n").find("one of 'every' and 'on-calendar'") != std::string::npos);
    CHECK(error_of("", "[timer]\non-calendar = someday\n") != "no error");
    CHECK(error_of("", "[socket]\non-demand = yes\n").find("needs a 'listen'") != std::string::npos);
    CHECK(error_of("", "[socket]\nlisten = 127.0.0.1:80\n").find("does not begin with tcp:") != std::string::npos);
    CHECK(error_of("", "[socket]\nlisten = tcp:localhost:80\n").find("numeric address") != std::string::npos);
    CHECK(error_of("", "[cgroup]\ncpuset.cpus = all\n").find("numbers and ranges") != std::string::npos);
    CHECK(error_of("", "[cgroup]\nmemory.oom.group = 2\n").find("0 to 1") != std::string::npos);
    CHECK(error_of("", "[unit]\ncondition-container = perhaps\n").find("not yes or no") != std::string::npos);
}

TEST_CASE("keys: commands before and after, timers, sockets, conditions") {
    const auto unit = service(
        "pre-start = /bin/a one\npre-start = /bin/b\npost-stop = /bin/c 'two words'\nkill = mixed\nreload-signal = "
        "HUP\n"
        "readiness = notify\nwatchdog = 30s",
        "[timer]\non-calendar = Mon..Fri 06:30\njitter = 5m\n[unit]\nroles = server agent\n"
        "condition-kernel-argument = !debug\ncondition-container = no\nconflicts = y\nenabled = no\n");
    REQUIRE(unit);
    CHECK(unit->pre_start == std::vector<CommandLine>{{"/bin/a", "one"}, {"/bin/b"}});
    CHECK(unit->post_stop == std::vector<CommandLine>{{"/bin/c", "two words"}});
    CHECK(unit->kill == KillMode::mixed);
    CHECK(unit->reload_signal == 1);
    CHECK(unit->timer->calendar.has_value());
    CHECK(unit->timer->jitter == Milliseconds(300'000));
    CHECK(unit->conditions.size() == 3);
    CHECK(unit->conditions.at(0).kind == Condition::Kind::role);
    CHECK(unit->conditions.at(1).negated);
    CHECK(unit->conditions.at(2).negated);
    CHECK(!unit->enabled);
    const auto listening = service("", "[socket]\nlisten = tcp:[::1]:80\nlisten = unix:/run/x\non-demand = yes\n");
    REQUIRE(listening);
    CHECK(listening->listen.size() == 2);
}

TEST_CASE("drop-ins: a later file replaces a key's whole value, an empty value takes it away") {
    const std::vector<UnitText> texts{
        {"/a/x.unit", "[unit]\nrequires = a b\n[service]\ncommand = /bin/x\nnice = 5\npre-start = /bin/1\n"},
        {"/b/x.unit.d/1.conf", "[unit]\nrequires = c\n[service]\nnice =\npre-start = /bin/2\npre-start = /bin/3\n"},
        {"/c/x.unit.d/2.conf", "[service]\nrestart = always\n"},
    };
    const auto unit = parse_unit("x", texts, same);
    REQUIRE(unit);
    CHECK(unit->required == std::vector<std::string>{"c"});
    CHECK(unit->nice == 0);
    CHECK(unit->pre_start.size() == 2);
    CHECK(unit->restart == RestartPolicy::always);
    const auto wrong =
        parse_unit("x", std::vector<UnitText>{texts[0], {"/b/x.unit.d/1.conf", "[service]\nnice = x\n"}}, same);
    CHECK(wrong.error().message.starts_with("/b/x.unit.d/1.conf:2: nice"));
    const auto keys = effective_keys("x", texts);
    REQUIRE(keys);
    bool found = false;
    for (const EffectiveKey& key : *keys) {
        found = found || (key.key == "requires" && key.value == "c" && key.origin == "/b/x.unit.d/1.conf:2");
    }
    CHECK(found);
}

TEST_CASE("templates: %i and %n are filled in for an instance and nowhere else") {
    const std::vector<UnitText> texts{
        {"/a/serve@.unit", "[service]\ncommand = /bin/serve --port %i --name=%n 100%%\n"}};
    const auto instance = parse_unit("serve@8080", texts, same);
    REQUIRE(instance);
    CHECK(instance->command == CommandLine{"/bin/serve", "--port", "8080", "--name=serve@8080", "100%"});
    const auto plain = parse_unit("serve", texts, same);
    CHECK(plain->command.at(2) == "%i");
    CHECK(template_of("serve@8080") == "serve@");
    CHECK(template_of("serve@").empty());
    CHECK(template_of("serve").empty());
}

TEST_CASE("fingerprint: it changes with what asks for a restart, not with description and enabled") {
    const auto print = [](std::string_view lines) { return service(lines)->fingerprint; };
    const auto described = [](std::string_view unit) { return service("", unit)->fingerprint; };
    CHECK(print("nice = 1") != print("nice = 2"));
    CHECK(print("nice = 1") == print("# a comment\nnice = 1"));
    CHECK(described("[unit]\nenabled = no\n") == described("[unit]\ndescription = text\n"));
}

TEST_CASE("reference: every key of the table stands there with what it takes") {
    const std::string page = unit_reference();
    for (const auto table : unit_keys()) {
        for (const UnitKey& row : table) {
            CHECK_MESSAGE(page.find(concat("| `", row.key, "` | ")) != std::string::npos, row.key);
            CHECK_MESSAGE(!allowed_text(row).empty(), row.key);
            CHECK_MESSAGE(!row.meaning.empty(), row.key);
        }
    }
}
