// SLURM: node.ini's section, the configuration that is made of it, accounts, the munge key, clocks.
#include <doctest/doctest.h>

#include <sys/stat.h>

#include <array>

#include "accounts.hpp"
#include "base/text.hpp"
#include "clock_offset.hpp"
#include "config/slurm_keys.hpp"
#include "config/sources.hpp"
#include "late_registration.hpp"
#include "munge_key.hpp"
#include "os/file.hpp"
#include "secret_store.hpp"
#include "shared_folder.hpp"
#include "slurm_conf.hpp"
#include "temporary_folder.hpp"

using namespace thole;
using namespace thole::slurm;

namespace {

constexpr std::string_view kSecret = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

Result<NodeConfig> config_of(std::string_view text) {
    NodeConfig config;
    if (auto added = add_ini(config, "node.ini", text, false); !added) {
        return std::unexpected(added.error());
    }
    if (auto finished = config.finish(); !finished) {
        return std::unexpected(finished.error());
    }
    return config;
}

std::string refusal(std::string_view text) {
    const auto config = config_of(text);
    REQUIRE_FALSE(config);
    return config.error().message;
}

std::string conf_of(std::string_view text) {
    const auto config = config_of(concat("[slurm]\nrole = controller\n", text));
    REQUIRE(config);
    return slurm_conf(*config, {.controllers = {{"node1", "10.41.3.4"}}});
}

std::string line_of(std::string_view text, std::int64_t memory_kib) {
    const auto config = config_of(concat("[slurm]\nrole = compute\ncontroller = node1\n", text));
    REQUIRE(config);
    return node_line(*config, memory_kib, 0);
}

}  // namespace

TEST_CASE("roles are words of a list, in any order") {
    const auto config = config_of("[slurm]\nrole = compute, controller\n");
    REQUIRE(config);
    CHECK(has_slurm_role(*config, "controller"));
    CHECK(has_slurm_role(*config, "compute"));
    CHECK_FALSE(has_slurm_role(*config, "login"));
    CHECK(contains(refusal("[slurm]\nrole = computer\n"), "it takes controller, compute, login"));
    CHECK(contains(refusal("[slurm]\nrole = compute compute\n"), "twice"));
}

TEST_CASE("who is not the controller says who is") {
    CHECK(contains(refusal("[slurm]\nrole = compute\n"), "slurm.controller does not name the controller"));
    CHECK(config_of("[slurm]\nrole = compute\ncontroller = node1\n"));
    CHECK(config_of("[slurm]\nusers = a:1\n"));  // without a role nothing of it matters
    CHECK(contains(refusal("[slurm]\nrole = compute\ncontroller = 192.0.2.1\n"), "is an address"));
}

TEST_CASE("several controllers share their queue") {
    constexpr std::string_view kTwo = "[node]\nname = b\n[slurm]\nrole = controller\ncontroller = a b\n";
    CHECK(contains(refusal(kTwo), "names 2 controllers"));
    CHECK(contains(refusal(concat(kTwo, "state = server\n")), "slurm.state 'server' (node.ini:6) is not SERVER:/PATH"));
    CHECK(contains(refusal(concat(kTwo, "state = s:/q\naccounting = database\n")), "goes with one controller"));
    CHECK(contains(refusal("[node]\nname = c\n[slurm]\nrole = controller\ncontroller = a\n"),
                   "slurm.controller names a"));
    const auto config = config_of(concat(kTwo, "state = s:/queue\ncontroller-timeout = 30s\n"));
    REQUIRE(config);
    CHECK(controller_names(*config, "b") == std::vector<std::string>{"a", "b"});
    CHECK(controller_names(NodeConfig(), "b") == std::vector<std::string>{"b"});
    const std::string conf = slurm_conf(*config, {.controllers = {{"a", "10.41.0.1"}, {"b", "10.41.0.2"}}});
    CHECK(contains(conf, "SlurmctldHost=a(10.41.0.1)\nSlurmctldHost=b(10.41.0.2)\nSlurmctldTimeout=30\n"));
    // Where it does not control, it need not know where the queue is.
    CHECK(config_of("[slurm]\nrole = compute\ncontroller = a b\n"));
}

TEST_CASE("GPUs are device files of a node") {
    const auto config = config_of("[slurm]\nrole = compute\ncontroller = a\ngpus = /dev/dri/card0, /dev/dri/card1\n");
    REQUIRE(config);
    CHECK(config->list("slurm.gpus").size() == 2);
    CHECK(contains(node_line(*config, 2'014'396, 2), " Gres=gpu:2"));
    CHECK(own_gres_conf("node1", {"/dev/nvidia0", "/dev/nvidia1"}) ==
          "# device files of this node\nNodeName=node1 Name=gpu File=/dev/nvidia0\n"
          "NodeName=node1 Name=gpu File=/dev/nvidia1\n");
    CHECK_FALSE(own_gres_conf("node1", {}).empty());
    for (const auto wrong : {"nvidia0", "/", "/dev/", "/dev/a#", "/dev/nvidia[0-3]", "/dev/a /dev/a"}) {
        CHECK_FALSE(config_of(concat("[slurm]\nrole = controller\ngpus = ", wrong, "\n")));
    }
}

TEST_CASE("users and groups") {
    const auto config =
        config_of("[slurm]\nrole = controller\nusers = alice:2000 bob:2001\ngroups = physics:3000:alice:bob\n");
    REQUIRE(config);
    const auto accounts = job_accounts(*config);
    REQUIRE(accounts);
    CHECK(accounts->users == std::vector<JobUser>{{"alice", 2000}, {"bob", 2001}});
    CHECK(accounts->groups == std::vector<JobGroup>{{"physics", 3000, {"alice", "bob"}}});
    static constexpr std::array<std::array<std::string_view, 2>, 7> kWrong{{
        {"users = alice\n", "has 1 parts, where NAME:NAME is meant"},
        {"users = alice:x\n", "the number in 'alice:x'"},
        {"users = alice:0\n", "the number in 'alice:0'"},
        {"users = Alice:2000\n", "'Alice' in 'Alice:2000' is not a name"},
        {"users = alice:2000 bob:2000\n", "names and numbers are for one each"},
        {"users = alice:2000\ngroups = g:2000\n", "names and numbers are for one each"},
        {"groups = g:3000:carol\n", "'carol' in 'g:3000:carol' is not in slurm.users"},
    }};
    for (const auto& [text, answer] : kWrong) {
        const std::string message = refusal(concat("[slurm]\nrole = controller\n", text));
        CAPTURE(message);
        CHECK(contains(message, answer));
    }
}

TEST_CASE("other values that cannot be") {
    CHECK(contains(refusal("[slurm]\nrole = controller\nprolog = x.sh\n"), "is not the path of a program"));
    CHECK(contains(refusal("[slurm]\nrole = controller\nhome = server\n"), "is not SERVER:/PATH"));
    CHECK(contains(refusal("[slurm]\nrole = controller\npartitions = a:b:c\n"), "where NAME[:NAME] is meant"));
}

TEST_CASE("slurm.conf: configless, dynamic nodes, cgroups, the controller's address") {
    const std::string conf = conf_of("");
    CHECK(contains(conf, "ClusterName=thole\n"));
    CHECK(contains(conf, "SlurmctldHost=node1(10.41.3.4)\n"));
    CHECK(contains(conf, "SlurmctldParameters=enable_configless\n"));
    CHECK(contains(conf, "MaxNodeCount=1024\n"));
    CHECK(contains(conf, "TaskPlugin=task/cgroup,task/affinity\n"));
    CHECK(contains(conf, "SlurmdTimeout=300\n"));
    CHECK(contains(conf, "JobCompType=jobcomp/filetxt\n"));
    CHECK(contains(conf, "PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP\n"));
    CHECK_FALSE(contains(conf, "Prolog"));
    CHECK_FALSE(contains(conf, "more.conf"));
    CHECK(contains(cgroup_conf(), "IgnoreSystemdOnFailure=yes\n"));
}

TEST_CASE("partitions, limits and hooks of node.ini") {
    const std::string conf = conf_of(
        "partitions = main gpu:gpu big:gpu\ntime-limit = 90m\nmemory-per-cpu = 500\nnode-timeout = 30s\n"
        "prolog = /var/lib/site/prolog\naccounting = none\nnodes = 8\n");
    CHECK(contains(conf, "PartitionName=main Nodes=ALL Default=YES MaxTime=90 State=UP\n"));
    CHECK(contains(conf, "PartitionName=gpu Nodes=with_gpu MaxTime=90 State=UP\n"));
    CHECK(conf.find("NodeSet=with_gpu Feature=gpu\n") == conf.rfind("NodeSet="));
    CHECK(contains(conf, "DefMemPerCPU=500\n"));
    CHECK(contains(conf, "SlurmdTimeout=30\n"));
    CHECK(contains(conf, "Prolog=prolog\n"));
    CHECK(contains(conf, "MaxNodeCount=8\n"));
    CHECK_FALSE(contains(conf, "JobComp"));
}

TEST_CASE("what a node says of itself") {
    CHECK(line_of("", 2'014'396) == "RealMemory=1792");
    CHECK(line_of("features = gpu fast\n", 2'014'396) == "RealMemory=1792 Feature=gpu,fast");
    CHECK(line_of("cpus = 3\nmemory = 1000\n", 8'000'000) ==
          "RealMemory=1000 CPUs=3 Boards=1 SocketsPerBoard=1 CoresPerSocket=3 ThreadsPerCore=1");
    CHECK(memory_for_jobs(100'000) == 16);  // never nothing
}

TEST_CASE("pods do not get what jobs have") {
    const auto config = config_of("[slurm]\nrole = compute\ncontroller = a\ncpus = 2\nmemory = 1000\n");
    REQUIRE(config);
    CHECK(config->text("kubernetes.reserved-cpu") == "2100");
    CHECK(config->text("kubernetes.reserved-memory") == "1256");
    const auto controller = config_of("[slurm]\nrole = controller\ncpus = 2\n");
    REQUIRE(controller);
    CHECK(controller->text("kubernetes.reserved-cpu") == "100");
    const auto own = config_of("[slurm]\nrole = compute\ncontroller = a\ncpus = 2\n[kubernetes]\nreserved-cpu = 7\n");
    REQUIRE(own);
    CHECK(own->text("kubernetes.reserved-cpu") == "7");
}

TEST_CASE("accounts as they are handed out, and back") {
    const JobAccounts accounts{{{"alice", 2000}, {"bob", 2001}}, {{"physics", 3000, {"alice", "bob"}}}};
    const std::string text = handed_out(accounts);
    CHECK(read_handed_out(text) == accounts);
    for (const auto line : split(text, '\n')) {
        CHECK((line.empty() || line.starts_with('#')));  // SLURM reads none of it
    }
    CHECK(read_handed_out("# user root 0\n# user eve 0\n# user eve 70000\n# user e:e 2000\n# user\nuser x 2000\n") ==
          JobAccounts{});
}

TEST_CASE("passwd and group keep their own lines and have no others for jobs") {
    const JobAccounts accounts{{{"alice", 2000}}, {{"physics", 3000, {"alice"}}}};
    const std::string_view passwd = "root:x:0:0:root:/root:/usr/sbin/nologin\nold:x:1999:1999::/home/old:/bin/bash\n";
    const std::string users = with_users(passwd, accounts);
    CHECK(users == "root:x:0:0:root:/root:/usr/sbin/nologin\nalice:x:2000:2000:alice:/home/alice:/bin/bash\n");
    CHECK(with_users(users, accounts) == users);
    CHECK(with_groups("root:x:0:\nold:x:1999:\nslurm:x:64030:\n", accounts) ==
          "root:x:0:\nslurm:x:64030:\nalice:x:2000:\nphysics:x:3000:alice\n");
}

TEST_CASE("the munge key comes from the secret in force, and is not the secret") {
    const TemporaryFolder folder;
    const auto config = config_of(concat("[mesh]\ncluster = blue\nsecret = ", kSecret, "\n"));
    REQUIRE(config);
    const auto key = munge_key(*config, folder.path(), folder.path() + "/own");
    const auto again = munge_key(*config, folder.path(), folder.path() + "/own");
    REQUIRE((key && again));
    const auto secret = mesh::ClusterSecret::parse(kSecret);
    REQUIRE(secret);
    CHECK(mesh::same_bytes(key->bytes(), again->bytes()));
    CHECK_FALSE(mesh::same_bytes(key->bytes(), secret->bytes()));
    CHECK_FALSE(path_exists(folder.path() + "/own"));

    mesh::Block other = secret->bytes();
    other[0] ^= 1U;
    const mesh::StoredSecret changed{
        .secret = mesh::ClusterSecret(other), .version = {}, .previous = std::nullopt, .previous_until = 0};
    REQUIRE(mesh::store_secret(folder.path(), changed, *secret));
    const auto rotated = munge_key(*config, folder.path(), folder.path() + "/own");
    REQUIRE(rotated);
    CHECK_FALSE(mesh::same_bytes(key->bytes(), rotated->bytes()));
}

TEST_CASE("a node without a mesh makes a key and keeps it") {
    const TemporaryFolder folder;
    const std::string own = folder.path() + "/own";
    const NodeConfig config;
    const auto key = munge_key(config, folder.path(), own);
    const auto again = munge_key(config, folder.path(), own);
    REQUIRE((key && again));
    CHECK(mesh::same_bytes(key->bytes(), again->bytes()));
    struct stat information{};
    REQUIRE(::stat(own.c_str(), &information) == 0);
    CHECK((information.st_mode & 07777U) == 0400U);
    REQUIRE(replace_file(own, "short", 0400));
    const auto refused = munge_key(config, folder.path(), own);
    REQUIRE_FALSE(refused);
    CHECK(contains(refused.error().message, "has 5 bytes and is no key"));
}

TEST_CASE("the key's file is written where the key is another") {
    const TemporaryFolder folder;
    const std::string path = folder.path() + "/munge.key";
    const mesh::Secret key(mesh::Block{1});
    const std::string user = to_text(static_cast<std::int64_t>(::getuid()));
    const auto first = write_munge_key(path, key, user);
    const auto second = write_munge_key(path, key, user);
    REQUIRE((first && second));
    CHECK(*first);
    CHECK_FALSE(*second);
}

TEST_CASE("clocks: the short way round midnight, and answers that are none") {
    CHECK(day_difference(1000, 400) == 600);
    CHECK(day_difference(400, 1000) == -600);
    CHECK(day_difference(100, kDay - 100) == 200);
    CHECK(day_difference(kDay - 100, 100) == -200);
    std::array<std::uint8_t, 20> answer{14};
    answer[13] = 0x09;  // 600,000 ms since midnight: 0x000927C0
    answer[14] = 0x27;
    answer[15] = 0xC0;
    CHECK(offset_in_answer(answer, 0, 20) == 599'990);
    CHECK(offset_in_answer(answer, 600'000, 600'000) == 0);
    CHECK_FALSE(offset_in_answer(std::span(answer).first(19), 0, 0));
    answer[12] = 0x80;  // counts in another way
    CHECK_FALSE(offset_in_answer(answer, 0, 0));
    answer[0] = 8;
    CHECK_FALSE(offset_in_answer(answer, 0, 0));
}

TEST_CASE("slurmd registers once more, 40 s after its first start of a boot") {
    const TemporaryFolder folder;
    const std::string sign = folder.path() + "/conf";
    LateRegistration registration(sign, folder.path() + "/done");
    CHECK_FALSE(registration.due(Instant{1000}));
    CHECK(registration.wait(Instant{1000}) == -1);
    REQUIRE(make_directories(sign));
    CHECK_FALSE(registration.due(Instant{2000}));
    CHECK(registration.wait(Instant{3000}) == 39'001);
    CHECK_FALSE(registration.due(Instant{41'999}));
    CHECK(registration.due(Instant{42'000}));
    CHECK_FALSE(registration.due(Instant{43'000}));
    CHECK(registration.wait(Instant{43'000}) == -1);
    LateRegistration restarted(sign, folder.path() + "/done");
    CHECK_FALSE(restarted.due(Instant{44'000}));
    CHECK(restarted.wait(Instant{44'000}) == -1);
}

TEST_CASE("what mount(2) needs for NFS") {
    CHECK(nfs_options(*parse_address("192.0.2.9")) == "vers=4.2,hard,addr=192.0.2.9");
}
