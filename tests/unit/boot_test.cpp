// Steps of boot that need no root: identity, files, settings, templates.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "boot/data_version.hpp"
#include "boot/devices.hpp"
#include "boot/halt.hpp"
#include "boot/identity.hpp"
#include "boot/kernel_settings.hpp"
#include "boot/kmsg.hpp"
#include "boot/program.hpp"
#include "boot/skeleton.hpp"
#include "boot/tree_copy.hpp"
#include "config/render.hpp"
#include "os/file.hpp"
#include "temporary_folder.hpp"

using namespace thole;

namespace {

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

}  // namespace

TEST_CASE("the machine-id is made once and never replaced") {
    const TemporaryFolder folder;
    const std::string path = folder.path() + "/machine-id";
    const auto first = machine_id(path);
    REQUIRE(first);
    CHECK(first->size() == 32);
    CHECK(machine_id(path).value_or("") == *first);
    struct stat information{};
    REQUIRE(::stat(path.c_str(), &information) == 0);
    CHECK((information.st_mode & 07777U) == 0444);
    CHECK(derived_node_name(*first) == "thole-" + first->substr(0, 6));
    REQUIRE(replace_file(path, "", 0444));
    CHECK_FALSE(machine_id(path));
    REQUIRE(replace_file(path, std::string(32, '0') + "\n", 0444));
    CHECK_FALSE(machine_id(path));
}

TEST_CASE("a data disk's form is noted once, and a newer one is left alone") {
    const TemporaryFolder folder;
    const std::string path = folder.path() + "/data-format";
    REQUIRE(check_data_version(path));
    CHECK(read_file(path).value_or("") == concat(kDataFormat, "\n"));
    CHECK(check_data_version(path));
    const std::string newer = concat(kDataFormat + 1, "\n");
    REQUIRE(replace_file(path, newer, 0644));
    const auto refused = check_data_version(path);
    REQUIRE_FALSE(refused);
    CHECK(contains(refused.error().message, "Start the newer version"));
    CHECK(read_file(path).value_or("") == newer);
    for (const char* wrong : {"", "one\n", "0\n", "-1\n"}) {
        REQUIRE(replace_file(path, wrong, 0644));
        CHECK_FALSE(check_data_version(path));
    }
}

TEST_CASE("identity files") {
    const TemporaryFolder folder;
    REQUIRE(make_directories(folder.path() + "/etc"));
    REQUIRE(write_identity(folder.path(), std::string(32, 'a'), "node0", false));
    CHECK(read_file(folder.path() + "/etc/hostname").value_or("") == "node0\n");
    CHECK(contains(read_file(folder.path() + "/etc/hosts").value_or(""), "127.0.1.1 node0\n"));
    CHECK(contains(hosts_text("node0", "10.0.2.15"), "10.0.2.15 node0\n"));
}

TEST_CASE("a container's hosts file keeps what its engine wrote") {
    const TemporaryFolder folder;
    const std::string path = folder.path() + "/hosts";
    REQUIRE(replace_file(path, "127.0.0.1\tlocalhost\n10.9.8.7\tdatabase", 0644));
    REQUIRE(complete_hosts(path, "node0", "172.17.0.2"));
    const std::string completed = "127.0.0.1\tlocalhost\n10.9.8.7\tdatabase\n172.17.0.2 node0\n";
    CHECK(read_file(path).value_or("") == completed);
    REQUIRE(complete_hosts(path, "node0", "172.17.0.3"));
    CHECK(read_file(path).value_or("") == completed);
    REQUIRE(complete_hosts(folder.path() + "/none", "node0", ""));
    CHECK(read_file(folder.path() + "/none").value_or("") == hosts_text("node0", ""));
}

TEST_CASE("sysctls") {
    const TemporaryFolder folder;
    REQUIRE(make_directories(folder.path() + "/net/ipv4/conf/eth0.1"));
    REQUIRE(replace_file(folder.path() + "/net/ipv4/ip_forward", "0\n", 0644));
    REQUIRE(replace_file(folder.path() + "/net/ipv4/conf/eth0.1/forwarding", "0\n", 0644));
    const auto failed = apply_sysctls(
        "f", "# comment\n\nnet.ipv4.ip_forward = 1\r\nkernel.nothing=2\nnet/ipv4/conf/eth0.1/forwarding = 1",
        folder.path());
    REQUIRE(failed);
    CHECK(*failed == "kernel.nothing (No such file or directory)");
    CHECK(read_file(folder.path() + "/net/ipv4/ip_forward").value_or("").starts_with("1"));
    CHECK(read_file(folder.path() + "/net/ipv4/conf/eth0.1/forwarding").value_or("").starts_with("1"));
    CHECK(apply_sysctls("f", "a\n", folder.path()).error().message == "f:1: not 'key = value'");
    CHECK_FALSE(apply_sysctls("f", "../x = 1\n", folder.path()));
}

TEST_CASE("the image's sysctl file is in order") {
    const char* const checkout = std::getenv("THOLE_SOURCE");
    REQUIRE(checkout != nullptr);
    const auto text = read_file(concat(checkout, "/rootfs/skeleton/usr/lib/thole/sysctl.conf"));
    REQUIRE(text);
    CHECK(apply_sysctls("sysctl.conf", *text, "/nowhere"));
}

TEST_CASE("virtio ports get their names") {
    const TemporaryFolder folder;
    const std::string sys = folder.path() + "/sys";
    const std::string dev = folder.path() + "/dev";
    REQUIRE(make_directories(dev));
    for (const std::string_view port : {"vport0p1", "vport0p2", "vport0p3"}) {
        REQUIRE(make_directories(concat(sys, "/class/virtio-ports/", port)));
    }
    REQUIRE(replace_file(sys + "/class/virtio-ports/vport0p1/name", "org.qemu.guest_agent.0\n", 0644));
    REQUIRE(replace_file(sys + "/class/virtio-ports/vport0p2/name", "../../etc/passwd\n", 0644));
    REQUIRE(link_virtio_ports(sys, dev));
    REQUIRE(link_virtio_ports(sys, dev));
    CHECK(list_directory(dev + "/virtio-ports").value_or(std::vector<std::string>()) ==
          std::vector<std::string>{"org.qemu.guest_agent.0"});
    CHECK(link_virtio_ports(folder.path() + "/none", dev));
}

TEST_CASE("the skeleton fills what is missing and leaves the rest") {
    const TemporaryFolder folder;
    const std::string from = folder.path() + "/skeleton";
    const std::string to = folder.path() + "/var";
    REQUIRE(make_directories(from + "/lib/chrony", 0755));
    REQUIRE(::chmod((from + "/lib/chrony").c_str(), 0750) == 0);
    REQUIRE(replace_file(from + "/lib/file", "new", 0640));
    REQUIRE(replace_file(from + "/lib/kept", "new", 0640));
    REQUIRE(::symlink("/run", (from + "/run").c_str()) == 0);
    REQUIRE(make_directories(to + "/lib"));
    REQUIRE(replace_file(to + "/lib/kept", "old", 0600));
    REQUIRE(fill_from_skeleton(from, to));
    REQUIRE(fill_from_skeleton(from, to));
    struct stat information{};
    REQUIRE(::stat((to + "/lib/chrony").c_str(), &information) == 0);
    CHECK((information.st_mode & 07777U) == 0750);
    CHECK(read_file(to + "/lib/file").value_or("") == "new");
    CHECK(read_file(to + "/lib/kept").value_or("") == "old");
    REQUIRE(::lstat((to + "/run").c_str(), &information) == 0);
    CHECK(S_ISLNK(information.st_mode));
    CHECK(fill_from_skeleton(folder.path() + "/none", to));
}

TEST_CASE("a copy keeps large files, set-user-id bits and links") {
    const TemporaryFolder folder;
    const std::string from = folder.path() + "/from";
    const std::string to = folder.path() + "/to";
    const std::string large(std::size_t{3} << 20U, 'x');
    REQUIRE(make_directories(from + "/bin"));
    REQUIRE(make_directories(to));
    REQUIRE(replace_file(from + "/bin/large", large, 04755));
    REQUIRE(::symlink("large", (from + "/bin/link").c_str()) == 0);
    REQUIRE(replace_file(to + "/half.unfinished", "cut short", 0600));
    REQUIRE(replace_file(from + "/half", "whole", 0600));
    REQUIRE(copy_tree(from, to));
    struct stat information{};
    REQUIRE(::stat((to + "/bin/link").c_str(), &information) == 0);
    CHECK((information.st_mode & 07777U) == 04755);
    CHECK(read_file(to + "/bin/large", large.size()).value_or("") == large);
    CHECK(read_file(to + "/half").value_or("") == "whole");
    CHECK_FALSE(path_exists(to + "/half.unfinished"));
    CHECK_FALSE(copy_tree(folder.path() + "/none", to));
}

TEST_CASE("kmsg: a FIFO stands in, and a reader waits instead of seeing its end") {
    if (::geteuid() == 0) {
        return;  // root may make the device itself
    }
    const TemporaryFolder folder;
    const std::string path = folder.path() + "/kmsg";
    REQUIRE(provide_kmsg(path).value_or(KmsgKind::device) == KmsgKind::fifo);
    const Fd reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK));
    char letter = 0;
    CHECK(::read(reader.get(), &letter, 1) == -1);
    CHECK(errno == EAGAIN);
}

TEST_CASE("programs") {
    const auto echoed = run_program({"/bin/sh", "-c", "echo out; echo err >&2; exit 3"});
    REQUIRE(echoed);
    CHECK(echoed->status == 3);
    CHECK(echoed->output == "out\nerr\n");
    CHECK(run_program({"/bin/sh", "-c", "kill -9 $$"}).value_or(ProgramResult()).status == 137);
    CHECK_FALSE(run_program({"/no/such/program"}));
    CHECK(run_program({"/bin/cat"}, "a word").value_or(ProgramResult()).output == "a word");
    CHECK(run_program({"/bin/cat"}).value_or(ProgramResult()).output.empty());
    const auto large = run_program({"/bin/sh", "-c", "head -c 1000000 /dev/zero"});
    REQUIRE(large);
    CHECK(large->output.size() <= 20'480);
}

TEST_CASE("templates") {
    NodeConfig config;
    REQUIRE(config.set("time", "servers", "a.example b.example", "test", false));
    const auto rendered = [&](std::string_view text) {
        auto result = render_text("t", text, config);
        return result ? *result : concat("error: ", result.error().message);
    };
    CHECK(rendered("pods ${kubernetes.pod-range}\n${HOME} $$x\n") == "pods 10.42.0.0/16\n${HOME} $x\n");
    CHECK(rendered("server ${time.servers[]} iburst\nend") == "server a.example iburst\nserver b.example iburst\nend");
    CHECK(rendered("a\nnameserver ${network.dns[]}\nb\n") == "a\nb\n");
    CHECK(contains(rendered("a\n${network.adress}\n"), "error: t:2: ${network.adress}: unknown key"));
    CHECK(contains(rendered("${network.adress[]}\n"), "did you mean 'address'?"));
}

TEST_CASE("a tree of templates") {
    const TemporaryFolder folder;
    const std::string templates = folder.path() + "/templates";
    REQUIRE(make_directories(templates + "/kubernetes"));
    REQUIRE(replace_file(templates + "/kubernetes/kubelet.yaml", "dns: ${kubernetes.cluster-domain}\n", 0600));
    const NodeConfig config;
    CHECK(render_tree(templates, folder.path() + "/etc", config).value_or(-1) == 1);
    CHECK(read_file(folder.path() + "/etc/kubernetes/kubelet.yaml").value_or("") == "dns: cluster.local\n");
    struct stat information{};
    REQUIRE(::stat((folder.path() + "/etc/kubernetes/kubelet.yaml").c_str(), &information) == 0);
    CHECK((information.st_mode & 07777U) == 0600);
    REQUIRE(replace_file(templates + "/zz", "${a.b}", 0644));
    REQUIRE(replace_file(templates + "/aa", "new", 0644));
    CHECK_FALSE(render_tree(templates, folder.path() + "/etc", config));
    CHECK_FALSE(path_exists(folder.path() + "/etc/aa"));
    CHECK(render_tree(folder.path() + "/none", folder.path() + "/etc", config).value_or(-1) == 0);
}

TEST_CASE("the frame around a message") {
    const auto lines = boxed("one two three\nfour", 12);
    const std::vector<std::string> expected{"+----------+", "| one two  |", "| three    |", "| four     |",
                                            "+----------+"};
    CHECK(lines == expected);
    for (const std::string& line : boxed(std::string(100, 'x'), 20)) {
        CHECK(line.size() == 20);
    }
}
