// The parts of os/ that need no machine: notifications, addresses, environments.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "base/listen_address.hpp"
#include "os/file.hpp"
#include "os/notify.hpp"
#include "os/spawn_plan.hpp"
#include "temporary_folder.hpp"

using namespace thole;

TEST_CASE("notify: lines are read, unknown and broken ones passed over") {
    const auto said = parse_notification("STATUS=almost\nREADY=1\nX\n=\nFOO=bar");
    CHECK(said.ready);
    CHECK(said.status == "almost");
    CHECK(!parse_notification("READY=10").ready);
    CHECK(!parse_notification("").ready);
    CHECK(!parse_notification("READY=1").status);
    CHECK(parse_notification("STATUS=" + std::string(5000, 'x')).status->size() == 200);
}

TEST_CASE("notify: all that the protocol can say is understood") {
    const auto said =
        parse_notification("RELOADING=1\nMAINPID=77\nWATCHDOG=1\nEXTEND_TIMEOUT_USEC=1500\nWATCHDOG_USEC=2000000");
    CHECK(said.reloading);
    CHECK(said.alive);
    CHECK(!said.unhealthy);
    CHECK(said.main_pid == 77);
    CHECK(said.extension == Milliseconds(2));
    CHECK(said.watchdog == Milliseconds(2000));
    CHECK(parse_notification("WATCHDOG=trigger").unhealthy);
    CHECK(parse_notification("FDSTORE=1\nSTOPPING=1").kept_files);
    CHECK(parse_notification("MAINPID=-3").main_pid == 0);
    CHECK(parse_notification("MAINPID=99999999999999999999").main_pid == 0);
    CHECK(!parse_notification("EXTEND_TIMEOUT_USEC=soon").extension);
    CHECK(parse_notification(std::string(10'000, '\n') + "READY=1").ready);
}

TEST_CASE("probe: addresses are numeric and whole") {
    CHECK(parse_internet_address("127.0.0.1:6443"));
    CHECK(parse_internet_address("[::1]:53"));
    CHECK(!parse_internet_address("localhost:80"));
    CHECK(!parse_internet_address("127.0.0.1:0"));
    CHECK(!parse_internet_address("127.0.0.1"));
    CHECK(!unix_address(std::string(200, 'x')));
}

TEST_CASE("file: one that cannot take its place leaves nothing behind") {
    const TemporaryFolder folder;
    const std::string place = folder.path() + "/place";
    REQUIRE(make_directories(place + "/taken"));
    CHECK_FALSE(replace_file(place, "x", 0644));
    CHECK(path_exists(place + "/taken"));
    CHECK_FALSE(path_exists(place + ".new"));
}

TEST_CASE("spawn: the environment is put into arguments") {
    const std::vector<std::string> environment{"A=1", "NAME=node0", "A=2"};
    CHECK(expand_environment("--name=${NAME}-${A}", environment).value() == "--name=node0-2");
    CHECK(expand_environment("$$ $x ${", environment).value() == "$ $x ${");
    CHECK(!expand_environment("${MISSING}", environment));
}
