// node.ini: keys, values, sources and how they merge.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "base/text.hpp"
#include "config/address.hpp"
#include "config/node_config.hpp"
#include "config/schema.hpp"
#include "config/sources.hpp"
#include "os/file.hpp"
#include "temporary_folder.hpp"

using namespace thole;

namespace {

std::string set_error(std::string_view section, std::string_view name, std::string_view value) {
    NodeConfig config;
    const auto set = config.set(section, name, value, "test", false);
    return set ? "" : set.error().message;
}

std::string value_of(std::string_view section, std::string_view name, std::string_view value) {
    NodeConfig config;
    const auto set = config.set(section, name, value, "test", false);
    return set ? std::string(config.text(concat(section, ".", name))) : concat("error: ", set.error().message);
}

std::string ini_error(std::string_view text) {
    NodeConfig config;
    const auto added = add_ini(config, "node.ini", text, true);
    return added ? "" : added.error().message;
}

/// The error of a whole configuration, cross-checks included.
std::string whole_error(std::string_view text) {
    NodeConfig config;
    if (const auto added = add_ini(config, "node.ini", text, true); !added) {
        return added.error().message;
    }
    const auto finished = config.finish();
    return finished ? "" : finished.error().message;
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

}  // namespace

TEST_CASE("several keys stand in one value") {
    const std::string one = "41O7CLeNaRid6YegKbR5kPgfpt+vTYleDWfFXwjvRe4=";
    const std::string other = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    NodeConfig config;
    REQUIRE(config.set("upgrade", "keys", one + ", " + other, "here", true));
    CHECK(config.text("upgrade.keys") == one + "," + other);
    CHECK_FALSE(config.set("upgrade", "keys", one + ", short=", "here", true));
}

TEST_CASE("an unknown key is named with file, line and the nearest name") {
    CHECK(ini_error("[network]\nadress = dhcp\n") ==
          "node.ini:2: unknown key 'adress' in [network]; did you mean 'address'?");
    CHECK(ini_error("[netwrok]\naddress = dhcp\n") == "node.ini:2: unknown section [netwrok]; did you mean [network]?");
    CHECK(contains(ini_error("[node]\nxyzzy = 1\n"), "there are 'name'"));
    CHECK(contains(ini_error("name = x\n"), "node.ini:1:"));
}

TEST_CASE("the line of a bad value is its own, not the next key's") {
    CHECK(ini_error("[kubernetes]\nenabled = maybe\ncluster-domain = a.b\n") ==
          "node.ini:2: 'enabled' in [kubernetes]: 'maybe' is not yes or no");
}

TEST_CASE("values are checked and kept in one form") {
    CHECK(value_of("kubernetes", "enabled", "TRUE") == "yes");
    CHECK(value_of("kubernetes", "enabled", "off") == "no");
    CHECK(value_of("network", "address", "none") == "none");
    CHECK(value_of("network", "address", " 10.0.0.5/24 ") == "10.0.0.5/24");
    CHECK(value_of("network", "address", "FD00:0:0::5/64") == "fd00::5/64");
    CHECK(value_of("network", "dns", "10.0.0.1, 10.0.0.2") == "10.0.0.1,10.0.0.2");
    CHECK(value_of("time", "servers", "NTP.example.org 10.0.0.1") == "ntp.example.org,10.0.0.1");
    CHECK(value_of("kubernetes", "pod-range", "10.42.0.0/16, fd42::/56") == "10.42.0.0/16,fd42::/56");
    CHECK(value_of("kubernetes", "pod-range", "") == "10.42.0.0/16");
}

TEST_CASE("bad values say what is wrong") {
    CHECK(contains(set_error("network", "address", "10.0.0.0/24"), "a network's own address"));
    CHECK(contains(set_error("network", "address", "127.0.0.1/8"), "loopback"));
    CHECK(contains(set_error("network", "address", "10.0.0.5"), "prefix length"));
    CHECK(contains(set_error("network", "address", "10.0.0.5/33"), "33"));
    CHECK(contains(set_error("network", "address", "dhpc"), "dhcp, none or ADDRESS/PREFIX"));
    CHECK(contains(set_error("network", "address", "dhcp # ask"), "a comment needs a line of its own"));
    CHECK(contains(set_error("network", "interface", "eth0/../x"), "'interface'"));
    CHECK(contains(set_error("network", "dns", "1.1.1.1 8.8.8.8 9.9.9.9 4.4.4.4"), "the most is 3"));
    CHECK(contains(set_error("network", "dns", "1.1.1.1 1.1.1.1"), "twice"));
    CHECK(contains(set_error("node", "name", "Node0"), "lower-case"));
    CHECK(contains(set_error("node", "name", std::string(64, 'a')), "64 letters; the most is 63"));
    CHECK(contains(set_error("node", "name", "a..b"), "host name"));
    CHECK(contains(set_error("kubernetes", "pod-range", "10.42.1.0/16"), "the range is 10.42.0.0/16"));
    CHECK(contains(set_error("kubernetes", "pod-range", "10.42.0.0/30"), "8 to 24"));
    CHECK(contains(set_error("kubernetes", "pod-range", "10.0.0.0/16 10.1.0.0/16"), "not two of a kind"));
}

TEST_CASE("ini syntax") {
    NodeConfig config;
    REQUIRE(add_ini(config, "f",
                    "\xEF\xBB\xBF; comment\r\n[network]\r\ndns = 1.1.1.1,\r\n  9.9.9.9\r\naddress=10.0.0.2/8", true));
    CHECK(config.text("network.dns") == "1.1.1.1,9.9.9.9");
    CHECK(config.origin("network.dns") == "f:3");
    CHECK(config.text("network.address") == "10.0.0.2/8");
    CHECK(ini_error("").empty());
    CHECK(contains(ini_error(std::string_view("[node]\nname = a\0b\n", 18)), "NUL"));
    CHECK(contains(ini_error("[node]\nname = a\nname = b\n"), "node.ini:3: 'name' in [node] stands already in line 2"));
    CHECK(contains(ini_error("[network]\naddress = dhcp\n gateway = 10.0.0.1\n"), "continues the value above"));
    CHECK(contains(ini_error("[node]\nna"), "node.ini:2:"));
    CHECK(contains(ini_error(concat("[node]\nname = ", std::string(1 << 20, 'a'))), "node.ini:2:"));
}

TEST_CASE("the kernel command line") {
    NodeConfig config;
    REQUIRE(
        add_command_line(config,
                         "ro \"quoted x\" console=ttyS0 thole.node.name=\"a-b\" thole.network.dns=\"1.1.1.1 9.9.9.9\" "
                         "\"thole.time.servers=x y\" thole.node.name=c\n"));
    CHECK(config.text("node.name") == "c");
    CHECK(config.text("network.dns") == "1.1.1.1,9.9.9.9");
    CHECK(config.text("time.servers") == "x,y");
    CHECK(config.origin("node.name") == "the kernel command line");
    const auto error = [](std::string_view text) {
        NodeConfig other;
        const auto added = add_command_line(other, text);
        return added ? "" : added.error().message;
    };
    CHECK(error("a=\"b").empty());
    CHECK(contains(error("thole.node.name=\"b ro"), "the quote in 'thole.node.name' has no end"));
    CHECK(contains(error("thole.node.nam=b"), "did you mean 'name'"));
    CHECK(contains(error("thole.node.name"), "has no value"));
    CHECK(contains(error("thole.=b"), "names no key"));
    CHECK(contains(error("thole.node.name=\xFF"), "host name"));
    CHECK(error(std::string(5000, 'x')).empty());
}

TEST_CASE("secrets are refused where everybody can read") {
    static constexpr Key kSecret[] = {
        {.section = "s", .name = "token", .type = KeyType::text, .fallback = "", .doc = "", .secret = true}};
    NodeConfig config(kSecret);
    CHECK_FALSE(add_command_line(config, "thole.s.token=x"));
    CHECK_FALSE(add_ini(config, "f", "[s]\ntoken = x\n", true));
    CHECK(config.text("s.token").empty());
    CHECK(add_ini(config, "f", "[s]\ntoken = x\n", false));
    CHECK(config.text("s.token") == "x");
    CHECK(contains(config_reference(kSecret), "Secret"));
}

TEST_CASE("the cluster's secret comes from private places alone, and goes nowhere") {
    const TemporaryFolder folder;
    const std::string path = folder.path() + "/node.ini";
    const std::string secret = "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=";
    const std::string text = concat("[mesh]\nsecret = ", secret, "\n");
    NodeConfig config;
    REQUIRE(replace_file(path, text, 0644));
    const auto open_to_all = add_ini_file(config, path, "node.ini");
    REQUIRE_FALSE(open_to_all);
    CHECK(contains(open_to_all.error().message, "node.ini:2: 'secret' in [mesh] is a secret"));
    CHECK(contains(open_to_all.error().message, "mode 0600"));
    REQUIRE(replace_file(path, text, 0600));
    CHECK(add_ini_file(config, path, "node.ini"));
    CHECK(config.text("mesh.secret") == secret);
    CHECK_FALSE(expand("--secret ${mesh.secret}", config));
    CHECK_FALSE(config.lookup("mesh.secret"));
    for (const auto& error : {open_to_all.error(), expand("${mesh.secret}", config).error(),
                              add_command_line(config, concat("thole.mesh.secret=", secret)).error(),
                              add_command_line(config, concat("thole.mesh.secret=\"", secret)).error()}) {
        CHECK_FALSE(contains(error.message, secret.substr(0, 8)));
    }
}

TEST_CASE("a secret with a slip in it is not repeated") {
    CHECK(set_error("mesh", "secret", "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=").empty());
    for (const std::string_view wrong :
         {"hunter2", "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s",
          "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6v=", "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6!="}) {
        const std::string error = set_error("mesh", "secret", wrong);
        CHECK(contains(error, "./thole config new"));
        CHECK_FALSE(contains(error, wrong));
    }
}

TEST_CASE("what the mesh's nodes may do is one of three words") {
    CHECK(contains(set_error("remote", "nodes", "root"), "none, read-only, admin"));
}

TEST_CASE("a container's environment") {
    NodeConfig config;
    const std::vector<const char*> environment{"PATH=/bin", "NODE_NAME=n1", "THOLE_KUBERNETES_POD_RANGE=10.9.0.0/16"};
    REQUIRE(add_environment(config, environment));
    CHECK(config.text("node.name") == "n1");
    CHECK(config.text("kubernetes.pod-range") == "10.9.0.0/16");
    const std::vector<const char*> wrong{"THOLE_NODE_NAMES=n1"};
    const auto added = add_environment(config, wrong);
    REQUIRE_FALSE(added);
    CHECK(contains(added.error().message, "did you mean THOLE_NODE_NAME?"));
}

TEST_CASE("the short names of a container's environment") {
    NodeConfig config;
    const std::vector<const char*> environment{"NODE_K3S_ENABLED=true", "NODE_BOOTSTRAP=false",
                                               "NODE_JOIN=10.0.0.5,n1:9"};
    REQUIRE(add_environment(config, environment));
    CHECK(config.text("kubernetes.enabled") == "yes");
    CHECK(config.text("kubernetes.role") == "agent");
    CHECK(config.text("mesh.seeds") == "10.0.0.5,n1:9");
    const auto again = add_environment(config, std::vector<const char*>{"NODE_BOOTSTRAP=yes"});
    REQUIRE(again);
    CHECK(config.text("kubernetes.role") == "server");
    const auto wrong = add_environment(config, std::vector<const char*>{"NODE_BOOTSTRAP=first"});
    REQUIRE_FALSE(wrong);
    CHECK(contains(wrong.error().message, "'NODE_BOOTSTRAP' in [kubernetes]"));
}

TEST_CASE("the role in Kubernetes") {
    const std::string mesh = "[mesh]\ncluster = c\n";
    CHECK(whole_error(mesh + "[kubernetes]\nrole = agent\n").empty());
    CHECK(whole_error(mesh + "[kubernetes]\nservers = n1\n").empty());
    CHECK(contains(whole_error("[kubernetes]\nrole = agent\n"),
                   "kubernetes.role is agent (node.ini:2), but the node is in no mesh"));
    CHECK(contains(whole_error(mesh + "[kubernetes]\nrole = server\nservers = n1\n"),
                   "but kubernetes.servers (node.ini:5) is what an agent joins"));
    CHECK(whole_error("[kubernetes]\nenabled = no\nrole = agent\n").empty());
}

TEST_CASE("servers with etcd are named, by an odd number, and know themselves") {
    const std::string node = "[node]\nname = n1\n[mesh]\ncluster = c\n";
    const auto etcd = [](std::string_view more) { return concat("[kubernetes]\ndatastore = etcd\n", more); };
    CHECK(whole_error(node + etcd("servers = n1, n2, n3\n")).empty());
    CHECK(whole_error(node + etcd("servers = n2\nrole = agent\n")).empty());
    CHECK(whole_error("[node]\nname = n1\n" + etcd("servers = n1\n")).empty());
    CHECK(contains(whole_error(node + etcd("")), "kubernetes.servers is empty: name all servers there"));
    CHECK(contains(whole_error(node + etcd("servers = n1, n2\n")), "these are 2, but etcd decides by majority"));
    CHECK(contains(whole_error(node + etcd("servers = n1, n2, n3, n4, n5, n6, n7\n")), "name 1, 3 or 5 servers"));
    CHECK(contains(whole_error(node + etcd("servers = n1, n2, 10.41.0.3\n")), "10.41.0.3 is an address"));
    CHECK(contains(whole_error(node + etcd("role = server\nservers = n2, n3, n4\n")),
                   "but this node is n1 (node.ini:2)"));
    CHECK(contains(whole_error("[node]\nname = n1\n" + etcd("servers = n1, n2, n3\n")), "the node is in no mesh"));
    CHECK(contains(whole_error("[mesh]\ncluster = c\n" + etcd("servers = n1, n2, n3\nrole = server\n")),
                   "node.name is not set"));
    CHECK(contains(whole_error(node + etcd("servers = n1, n2, n1\n")), "stands there twice"));
}

TEST_CASE("a server that kubernetes.servers names is one without a role") {
    const auto role_of = [](std::string_view text) {
        NodeConfig config;
        REQUIRE(add_ini(config, "node.ini", text, false));
        REQUIRE(config.finish());
        return std::string(config.text("kubernetes.role"));
    };
    const std::string all =
        "[mesh]\ncluster = c\n[kubernetes]\ndatastore = etcd\nservers = n1, n2, n3\n[node]\nname = ";
    CHECK(role_of(all + "n2\n") == "server");
    CHECK(role_of(all + "n4\n") == "agent");
}

TEST_CASE("ranges that clash are refused with both names") {
    CHECK(whole_error("").empty());
    CHECK(contains(
        whole_error("[kubernetes]\nservice-range = 10.42.128.0/20\n"),
        "kubernetes.pod-range 10.42.0.0/16 (default) overlaps kubernetes.service-range 10.42.128.0/20 (node.ini:2)"));
    CHECK(contains(whole_error("[network]\naddress = 10.42.0.9/24\n"), "network.address 10.42.0.9/24"));
    CHECK(contains(whole_error("[network]\naddress = 10.0.0.9/8\n"), "overlaps kubernetes.pod-range"));
    CHECK(whole_error("[network]\naddress = 10.0.0.9/8\n[kubernetes]\nenabled = no\n").empty());
    CHECK(contains(whole_error("[network]\ngateway = 10.0.0.1\n"),
                   "needs a static address, but network.address is dhcp"));
    CHECK(contains(whole_error("[network]\naddress=10.0.0.2/24\ngateway = 10.0.1.1\n"), "10.0.0.0/24"));
    CHECK(contains(whole_error("[network]\naddress=10.0.0.2/24\ngateway = 10.0.0.2\n"), "another machine"));
    CHECK(whole_error("[network]\naddress=fd00::2/64\ngateway = fe80::1\n").empty());
    CHECK(contains(whole_error("[kubernetes]\nservice-range = fd43::/112\n"), "no range of its family"));
    CHECK(whole_error("[kubernetes]\npod-range = 10.42.0.0/16 fd42::/48\nservice-range = 10.43.0.0/16 fd43::/112\n")
              .empty());
    CHECK(contains(whole_error("[kubernetes]\npod-range = fd42::/48 10.42.0.0/16\n"), "begins with fd42::/48"));
    CHECK(contains(whole_error("[kubernetes]\ndns-address = 10.43.0.1\n"), "not a free address"));
    CHECK(whole_error("[kubernetes]\ndns-address = 10.43.3.1\n").empty());
}

TEST_CASE("the name server's address follows from the service range") {
    NodeConfig config;
    REQUIRE(config.set("kubernetes", "service-range", "10.96.0.0/12", "test", false));
    REQUIRE(config.finish());
    CHECK(config.text("kubernetes.dns-address") == "10.96.0.10");
}

TEST_CASE("sources: later wins, and a mistake takes nothing") {
    const TemporaryFolder root;
    const auto put = [&](const std::string& path, std::string_view text) {
        REQUIRE(make_directories(root.path() + path.substr(0, path.rfind('/'))));
        REQUIRE(replace_file(root.path() + path, text, 0644));
    };
    put("/usr/lib/thole/node.ini", "[node]\nname = image\n[network]\ndns = 1.1.1.1\n[time]\nservers = a.example\n");
    put("/var/lib/thole/node.ini", "[node]\nname = disk\n[time]\nservers =\n");
    put("/run/thole/config-disk.ini", "[network]\ndns = 2.2.2.2\n[node]\nroles = storage\n");
    put("/sys/firmware/qemu_fw_cfg/by_name/opt/thole/node.ini/raw", "[kubernetes]\nenabled = no");
    put("/proc/cmdline", "ro thole.kubernetes.cluster-domain=a.b\n");
    const std::vector<const char*> environment{"NODE_NAME=container"};
    const auto config = load_node_config(root.path(), false, environment);
    REQUIRE(config);
    CHECK(config->text("node.name") == "disk");
    CHECK(config->text("network.dns") == "2.2.2.2");
    CHECK(config->origin("node.roles") == "the config disk's node.ini:4");
    CHECK(config->text("time.servers").empty());
    CHECK_FALSE(config->boolean("kubernetes.enabled"));
    CHECK(config->origin("kubernetes.enabled") == "fw_cfg opt/thole/node.ini:2");
    CHECK(config->text("kubernetes.cluster-domain") == "a.b");
    const auto contained = load_node_config(root.path(), true, environment);
    REQUIRE(contained);
    CHECK(contained->text("node.name") == "container");
    CHECK(contained->text("kubernetes.cluster-domain") == "cluster.local");
    put("/var/lib/thole/node.ini", "[node]\nnames = disk\n");
    const auto wrong = load_node_config(root.path(), false, {});
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error().message == "/var/lib/thole/node.ini:2: unknown key 'names' in [node]; did you mean 'name'?");
}

TEST_CASE("expansion") {
    NodeConfig config;
    const auto expanded = [&](std::string_view text) {
        auto result = expand(text, config);
        return result ? *result : concat("error: ", result.error().message);
    };
    CHECK(expanded("--pods=${kubernetes.pod-range}!") == "--pods=10.42.0.0/16!");
    CHECK(expanded("${NODE_ADDRESS} $$ $x $") == "${NODE_ADDRESS} $ $x $");
    CHECK(expanded("$${network.address}") == "${network.address}");
    CHECK(contains(expanded("${network.adress}"), "did you mean 'address'?"));
    CHECK(contains(expanded("a ${network.address"), "closing brace"));
}

TEST_CASE("addresses") {
    const auto canonical = [](std::string_view text) {
        const auto address = parse_address(text);
        return address ? address_text(*address) : std::string("-");
    };
    CHECK(canonical("10.0.0.1") == "10.0.0.1");
    CHECK(canonical("10.0.0") == "-");
    CHECK(canonical("10.0.0.256") == "-");
    CHECK(canonical("") == "-");
    CHECK(canonical("::") == "::");
    CHECK(canonical("::1") == "::1");
    CHECK(canonical("1::") == "1::");
    CHECK(canonical("2001:db8:0:0:1:0:0:1") == "2001:db8::1:0:0:1");
    CHECK(canonical("2001:db8:0:1:1:1:1:1") == "2001:db8:0:1:1:1:1:1");
    CHECK(canonical("2001:0DB8::A0") == "2001:db8::a0");
    const auto network = parse_network("10.43.255.0/22");
    REQUIRE(network);
    CHECK(network_text(network_base(*network)) == "10.43.252.0/22");
    CHECK(address_text(network_address(*network, 300)) == "10.43.253.44");
    CHECK(network_contains(*network, *parse_address("10.43.253.9")));
    CHECK_FALSE(network_contains(*network, *parse_address("10.43.251.9")));
    CHECK_FALSE(network_contains(*parse_network("0.0.0.0/0"), *parse_address("fd00::1")));
}

TEST_CASE("the reference names every key") {
    const std::string reference = config_reference(node_keys());
    for (const Key& key : node_keys()) {
        CHECK(contains(reference, concat("| `", key.name, "` | ")));
        CHECK_FALSE(key.doc.empty());
        NodeConfig config;
        CHECK(config.set(key.section, key.name, key.fallback, "default", false));
    }
}
