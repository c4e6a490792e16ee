// The lease as dhcpcd hands it over, and what other services read of the network.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "base/text.hpp"
#include "dhcp_hook.hpp"
#include "interfaces.hpp"
#include "node_files.hpp"
#include "os/file.hpp"
#include "temporary_folder.hpp"

using namespace thole;

namespace {

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

std::vector<const char*> lease_variables() {
    return {"reason=BOUND",
            "interface=eth0",
            "new_ip_address=10.0.2.15",
            "new_routers=10.0.2.2",
            "new_domain_name_servers=10.0.2.3 127.0.0.1 nonsense",
            "new_domain_name=example.org"};
}

}  // namespace

TEST_CASE("a lease is read and checked") {
    const auto lease = read_lease(lease_variables());
    REQUIRE(lease);
    CHECK(lease->bound);
    CHECK(lease->gateway);
    CHECK(address_text(lease->address) == "10.0.2.15");
    CHECK(lease->servers == std::vector<std::string>{"10.0.2.3", "127.0.0.1"});
    CHECK(lease->search == "example.org");
}

TEST_CASE("events without an address change nothing") {
    for (const char* reason : {"reason=PREINIT", "reason=CARRIER", "reason=EXPIRE", "reason=STOP", "reason="}) {
        const auto lease = read_lease(std::vector<const char*>{reason, "interface=eth0"});
        REQUIRE(lease);
        CHECK_FALSE(lease->bound);
    }
}

TEST_CASE("a lease that cannot be right is an error") {
    const auto with = [](const char* variable) {
        auto variables = lease_variables();
        variables.insert(variables.begin(), variable);
        return variables;
    };
    CHECK_FALSE(read_lease(with("new_ip_address=127.0.0.1")));
    CHECK_FALSE(read_lease(with("new_ip_address=10.0.2.15; reboot")));
    CHECK_FALSE(read_lease(with("interface=../../x")));
    const auto lease = read_lease(with("new_domain_name=example.org\nnameserver 6.6.6.6"));
    REQUIRE(lease);
    CHECK(lease->search.find('\n') == std::string::npos);  // never a second line
    const auto search = read_lease(with("new_domain_search=A_b c.example. d.example"));
    REQUIRE(search);
    CHECK(search->search == "c.example d.example");
}

TEST_CASE("a lease becomes files") {
    const TemporaryFolder folder;
    REQUIRE(make_directories(folder.path() + "/etc"));
    REQUIRE(make_directories(folder.path() + "/run/thole"));
    const NodeFiles files{folder.path()};
    NodeConfig config;
    auto lease = read_lease(lease_variables());
    REQUIRE(lease);
    CHECK(apply_lease(*lease, config, "node0", files).value_or(true) == false);
    CHECK(read_file(files.environment()).value_or("") == "NODE_NAME=node0\nNODE_ADDRESS=10.0.2.15\n");
    CHECK(read_file(files.resolv_conf()).value_or("") == "nameserver 10.0.2.3\nsearch example.org\n");
    CHECK(contains(read_file(files.hosts()).value_or(""), "10.0.2.15 node0\n"));
    CHECK(apply_lease(*lease, config, "node0", files).value_or(true) == false);
    lease->address = *parse_address("10.0.2.16");
    CHECK(apply_lease(*lease, config, "node0", files).value_or(false) == true);
    REQUIRE(config.set("network", "dns", "9.9.9.9", "test", false));
    REQUIRE(apply_lease(*lease, config, "node0", files));
    CHECK(contains(read_file(files.resolv_conf()).value_or(""), "nameserver 9.9.9.9\n"));
}

TEST_CASE("a resolv.conf that is mounted is written into, and what was in it is gone") {
    const TemporaryFolder folder;
    REQUIRE(make_directories(folder.path() + "/run/thole"));
    const NodeFiles files{folder.path()};
    const std::vector<std::string_view> servers{"9.9.9.9"};
    CHECK_FALSE(overwrite_resolv_conf(files, servers));  // it makes none
    REQUIRE(replace_file(files.resolv_conf(), "nameserver 10.96.0.10\nsearch a.example b.example\n", 0644));
    REQUIRE(overwrite_resolv_conf(files, servers));
    CHECK(read_file(files.resolv_conf()).value_or("") == "nameserver 9.9.9.9\n");
}

TEST_CASE("resolv.conf has at most three servers and none that is loopback") {
    const std::vector<std::string_view> servers{"127.0.0.53", "1.1.1.1", "::1", "2.2.2.2", "3.3.3.3", "4.4.4.4"};
    CHECK(resolv_text(servers, "") == "nameserver 1.1.1.1\nnameserver 2.2.2.2\nnameserver 3.3.3.3\n");
    CHECK(resolv_text({}, "").starts_with("#"));
}

TEST_CASE("interfaces with a device, in the kernel's order") {
    const TemporaryFolder sys;
    const auto add = [&](std::string_view name, std::string_view index, bool device) {
        const std::string directory = concat(sys.path(), "/class/net/", name);
        REQUIRE(make_directories(directory + (device ? "/device" : "")));
        REQUIRE(replace_file(directory + "/ifindex", index, 0644));
    };
    add("lo", "1\n", false);
    add("eth1", "10\n", true);
    add("eth0", "9\n", true);
    add("dummy0", "2\n", false);
    CHECK(hardware_interfaces(sys.path()) == std::vector<std::string>{"eth0", "eth1"});
    CHECK(hardware_interfaces("/nowhere").empty());
}
