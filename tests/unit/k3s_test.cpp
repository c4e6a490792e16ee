// node.ini in k3s' words, and what `thole doctor k3s` finds.
#include <doctest/doctest.h>

#include <algorithm>

#include "base/text.hpp"
#include "config/sources.hpp"
#include "k3s_checks.hpp"
#include "k3s_config.hpp"
#include "os/file.hpp"
#include "temporary_folder.hpp"

using namespace thole;
using namespace thole::k3s;

namespace {

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

constexpr std::string_view kMesh =
    "[mesh]\ncluster = c\nsecret = AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n[kubernetes]\n";

NodeConfig config_of(std::string_view text) {
    NodeConfig config;
    REQUIRE(add_ini(config, "node.ini", text, false));
    REQUIRE(config.finish());
    return config;
}

K3sNode node() {
    return {.name = "n1", .address = "10.41.0.7", .outside = "192.0.2.7", .servers = {"10.41.0.1", "10.41.0.2"}};
}

}  // namespace

TEST_CASE("a server of a mesh") {
    const auto yaml = k3s_config(config_of(kMesh), node());
    REQUIRE(yaml);
    for (const auto* line :
         {"node-name: \"n1\"\n", "node-ip: \"10.41.0.7\"\n", "flannel-iface: \"wg0\"\n",
          "token-file: \"/run/k3s/token\"\n", "advertise-address: \"10.41.0.7\"\n",
          "disable:\n  - \"traefik\"\n  - \"servicelb\"\n", "cluster-cidr: \"10.42.0.0/16\"\n",
          "service-cidr: \"10.43.0.0/16\"\n", "cluster-dns: \"10.43.0.10\"\n", "snapshotter: \"overlayfs\"\n",
          "tls-san:\n  - \"n1\"\n  - \"10.41.0.7\"\n  - \"192.0.2.7\"\n", "node-external-ip: \"192.0.2.7\"\n",
          "- \"system-reserved=cpu=100m,memory=256Mi\"\n"}) {
        CAPTURE(line);
        CHECK(contains(*yaml, line));
    }
    CHECK_FALSE(contains(*yaml, "server:"));
}

TEST_CASE("what node.ini switches off k3s does not install") {
    const auto all = k3s_config(
        config_of(concat(kMesh, "dns = no\nmetrics = no\nlocal-storage = no\nnetwork-policy = no\n")), node());
    REQUIRE(all);
    CHECK(contains(*all, "- \"coredns\"\n  - \"metrics-server\"\n  - \"local-storage\"\n"));
    CHECK(contains(*all, "disable-network-policy: \"true\"\n"));
    CHECK_FALSE(contains(*k3s_config(config_of(kMesh), node()), "disable-network-policy"));
}

TEST_CASE("an agent asks the first server, and has nothing of a server's") {
    const auto yaml = k3s_config(config_of(concat(kMesh, "role = agent\n")), node());
    REQUIRE(yaml);
    CHECK(contains(*yaml, "server: \"https://10.41.0.1:6443\"\n"));
    CHECK(contains(*yaml, "kubelet-arg:\n"));
    for (const auto* key : {"disable", "tls-san", "cluster-cidr", "advertise-address", "write-kubeconfig-mode"}) {
        CHECK_FALSE(contains(*yaml, key));
    }
    K3sNode over_ipv6 = node();
    over_ipv6.servers = {"fd00::1"};
    CHECK(contains(*k3s_config(config_of(concat(kMesh, "role = agent\n")), over_ipv6), "https://[fd00::1]:6443"));
    over_ipv6.servers.clear();
    CHECK_FALSE(k3s_config(config_of(concat(kMesh, "role = agent\n")), over_ipv6));
}

TEST_CASE("a node in no mesh has no token of ours and no wg0") {
    const auto yaml = k3s_config(config_of(""), node());
    REQUIRE(yaml);
    CHECK_FALSE(contains(*yaml, "wg0"));
    CHECK_FALSE(contains(*yaml, "token"));
}

TEST_CASE("the short names of a container's environment reach k3s") {
    NodeConfig config;
    REQUIRE(add_ini(config, "node.ini", kMesh, false));
    REQUIRE(add_environment(config, std::vector<const char*>{"NODE_K3S_ENABLED=true", "NODE_BOOTSTRAP=false"}));
    REQUIRE(config.finish());
    CHECK(contains(*k3s_config(config, node()), "server: \"https://10.41.0.1:6443\""));
}

TEST_CASE("a token is the same on all nodes of a secret, and not the secret") {
    const auto token = k3s_token(config_of(kMesh), "/nowhere");
    REQUIRE(token);
    CHECK(token->size() == 64);
    CHECK(*token == *k3s_token(config_of(kMesh), "/nowhere"));
    CHECK_FALSE(contains(*token, "0100000000"));
}

TEST_CASE("checks of a host that has nothing, and of one that has what k3s wants") {
    const TemporaryFolder root;
    for (const DoctorRow& row : k3s_checks(root.path())) {
        CAPTURE(row.check);
        const bool by_files = row.check != "open files" && !row.check.starts_with("optional:");
        CHECK((!by_files || !row.finding.good));
        CHECK((row.finding.good || !row.remedy.empty()));
    }
    for (const auto* file :
         {"/proc/self/ns/net", "/proc/self/ns/pid", "/proc/self/ns/ipc", "/proc/sys/kernel/keys/root_maxkeys",
          "/proc/sys/fs/mqueue/queues_max", "/proc/sys/kernel/seccomp/actions_avail",
          "/proc/sys/net/bridge/bridge-nf-call-iptables", "/proc/sys/net/netfilter/nf_conntrack_max",
          "/proc/sys/fs/inotify/max_user_watches", "/dev/kmsg", "/usr/bin/k3s", "/var/lib/rancher/x"}) {
        const std::string path = concat(root.path(), file);
        REQUIRE(make_directories(path.substr(0, path.rfind('/'))));
        REQUIRE(replace_file(path, "", 0644));
    }
    const auto put = [&](std::string_view file, std::string_view text) {
        const std::string path = concat(root.path(), file);
        REQUIRE(make_directories(path.substr(0, path.rfind('/'))));
        REQUIRE(replace_file(path, text, 0644));
    };
    put("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n");
    put("/proc/filesystems", "nodev\toverlay\n\text4\n");
    put("/proc/sys/net/ipv4/ip_forward", "1\n");
    const auto rows = k3s_checks(root.path());
    for (const DoctorRow& row : rows) {
        CAPTURE(row.check);
        CHECK((row.check == "open files" || row.finding.good));
    }
    put("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory\n");
    const auto again = k3s_checks(root.path());
    const auto pids = std::ranges::find(again, "cgroup pids", &DoctorRow::check);
    REQUIRE(pids != again.end());
    CHECK_FALSE(pids->finding.good);
    CHECK(contains(pids->finding.detail, "lacks pids"));
}
