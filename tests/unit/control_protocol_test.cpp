#include <doctest/doctest.h>

#include <random>

#include "base/text.hpp"
#include "control/protocol.hpp"

using namespace thole;

namespace {

UnitStatus sample() {
    UnitStatus status;
    status.name = "kubelet";
    status.state = "delayed";
    status.since = 12'345;
    status.started = 12'000;
    status.took = 800;
    status.restarts = 3;
    status.next = 12'545;
    status.exit = "killed by SIGKILL";
    status.oom = true;
    status.enabled = false;
    status.failed_by = "containerd";
    status.description = "The node agent";
    status.status = "100 = busy";
    status.reason = "exit status 1\tand\nmore\033[31m";
    return status;
}

}  // namespace

TEST_CASE("protocol: a status line survives its way, also with odd text in it") {
    const auto decoded = decode(encode(sample()) + encode(UnitStatus(sample())));
    REQUIRE(decoded);
    REQUIRE(decoded->size() == 2);
    const UnitStatus& unit = decoded->at(1);
    CHECK(unit.name == "kubelet");
    CHECK(unit.state == "delayed");
    CHECK(unit.pid == -1);
    CHECK(unit.since == 12'345);
    CHECK(unit.started == 12'000);
    CHECK(unit.took == 800);
    CHECK(unit.restarts == 3);
    CHECK(unit.next == 12'545);
    CHECK(unit.exit == "killed by SIGKILL");
    CHECK(unit.oom);
    CHECK(!unit.enabled);
    CHECK(unit.failed_by == "containerd");
    CHECK(unit.description == "The node agent");
    CHECK(unit.status == "100 = busy");
    CHECK(unit.reason == "exit status 1 and more [31m");
}

TEST_CASE("protocol: the fields have the contract's names and order") {
    UnitStatus unit;
    unit.name = "a";
    unit.state = "ready";
    CHECK(encode(unit) ==
          "name=a\tstate=ready\tpid=-1\tsince=-1\tstarted=-1\ttook=-1\trestarts=0\tnext=-1\texit=\toom=0\tenabled=1\t"
          "failed-by=\tdescription=\tstatus=\treason=\n");
}

TEST_CASE("protocol: fields may come in any order, and unknown ones are passed over") {
    std::string line = encode(sample());
    line.pop_back();
    const auto first_tab = line.find('\t');
    const auto turned = decode(line.substr(first_tab + 1) + "\tcolour=blue\t" + line.substr(0, first_tab) + "\n");
    REQUIRE(turned);
    CHECK(turned->at(0).name == "kubelet");
}

TEST_CASE("protocol: what is wrong in a status is named") {
    const auto why = [](const std::string& body) { return decode(body).error().message; };
    const std::string line = encode(sample());
    const auto without = [&](std::string_view field) {
        const auto start = line.find(field);
        return line.substr(0, start) + line.substr(line.find('\t', start) + 1);
    };
    CHECK(why("a\tb\n").find("line 1: 'a' is not NAME=VALUE") != std::string::npos);
    CHECK(why(line + without("oom=")).find("line 2: 'oom' is missing") != std::string::npos);
    CHECK(why("name=a\tname=b\n").find("'name' is given twice") != std::string::npos);
    CHECK(why("pid=x\n").find("pid: 'x' is not a whole number") != std::string::npos);
    CHECK(why("oom=2\n").find("oom: '2' is not a whole number from 0 to 1") != std::string::npos);
    CHECK(why("pid=-2\n").find("-2") != std::string::npos);
    CHECK(!decode("name=\tstate=\n"));
    CHECK(decode("")->empty());
}

TEST_CASE("protocol: no garbage is taken for a unit or breaks the reader") {
    std::mt19937 random(20'260'131);
    const std::string letters = "name=state\t\n=pid-0123\x01\xFF";
    const std::string good = encode(sample());
    for (int round = 0; round < 3000; ++round) {
        std::string text = round % 2 == 0 ? good : "";
        for (int count = 0; count < 20; ++count) {
            text.insert(random() % (text.size() + 1), 1, letters[random() % letters.size()]);
        }
        const auto units = decode(text);
        for (std::size_t at = 0; units && at < units->size(); ++at) {
            CHECK(!units->at(at).name.empty());
        }
        (void)decode_event(text);
        (void)info_value(text, "name");
    }
}

TEST_CASE("protocol: an event survives its way") {
    const auto event = decode_event(trim(encode(UnitEvent{5, "a", "ready", "it said\tso"})));
    REQUIRE(event);
    CHECK(event->at == 5);
    CHECK(event->name == "a");
    CHECK(event->state == "ready");
    CHECK(event->reason == "it said so");
    CHECK(decode_event("5\ta\tready\t"));
    CHECK(!decode_event("5\ta\tready"));
    CHECK(!decode_event("x\ta\tready\t"));
    CHECK(!decode_event("5\t\tready\t"));
}

TEST_CASE("protocol: values of info are found by their whole name") {
    const std::string info = "version=0.1.0\ncontainer=1\ngoing-down=\n";
    CHECK(info_value(info, "version") == "0.1.0");
    CHECK(info_value(info, "going-down").empty());
    CHECK(info_value(info, "contain").empty());
    CHECK(info_value(info, "kmsg").empty());
}
