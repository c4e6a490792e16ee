// What an installation decides before it writes: the disk, its partitions, the node.ini.
#include <doctest/doctest.h>

#include <array>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "boot/partition_bytes.hpp"
#include "boot/partition_new.hpp"
#include "boot/partition_table.hpp"
#include "config/node_config.hpp"
#include "config/sources.hpp"
#include "install/node_file.hpp"
#include "install/target.hpp"
#include "os/file.hpp"
#include "temporary_folder.hpp"

using namespace thole;
using namespace thole::install;

namespace {

constexpr std::uint64_t kMib = std::uint64_t{1} << 20U;

BlockDevice disk(std::string name, std::string serial, ContentKind kind = ContentKind::blank) {
    BlockDevice device;
    device.name = std::move(name);
    device.size = 4096 * kMib;
    device.label = std::move(serial);
    device.content.kind = kind;
    device.content.what = kind == ContentKind::foreign ? "an xfs file system" : "";
    return device;
}

BlockDevice partition(std::string name, std::string label) {
    BlockDevice device = disk(std::move(name), std::move(label));
    device.partition = true;
    return device;
}

std::vector<NewPartition> two(std::uint64_t first) {
    return {{"thole-esp", kEspType, guid_of(std::string(16, 'a')), first},
            {"thole-data", kLinuxType, guid_of(std::string(16, 'b')), 0}};
}

}  // namespace

TEST_CASE("a disk is named by its path, its name or its serial number") {
    const std::vector devices{disk("sda", "S1"), disk("sdaa", "S2"), disk("nvme0n1", "N1")};
    CHECK(choose_disk(devices, "/dev/sda")->name == "sda");
    CHECK(choose_disk(devices, "nvme0n1")->name == "nvme0n1");
    CHECK(choose_disk(devices, "S2")->name == "sdaa");
    const auto none = choose_disk(devices, "sdb");
    REQUIRE(!none);
    CHECK(none.error().message.find("there is no disk 'sdb'") == 0);
    CHECK(none.error().message.find("/dev/nvme0n1, 4096 MiB, serial number N1, holds nothing") != std::string::npos);
}

TEST_CASE("auto is the only disk, and never what the live image is on") {
    std::vector devices{disk("sda", ""), partition("sda1", "thole-live"), disk("vda", "")};
    devices[0].partitioned = true;
    CHECK(choose_disk(devices, "auto")->name == "vda");
    const auto stick = choose_disk(devices, "sda");
    REQUIRE(!stick);
    CHECK(stick.error().message == "/dev/sda is what this node was started from");
    devices.push_back(disk("vdb", ""));
    CHECK(!choose_disk(devices, "auto"));
    CHECK(!choose_disk({}, "auto"));
}

TEST_CASE("two disks with one serial number are not told apart by it") {
    CHECK(!choose_disk({disk("sda", "same"), disk("sdb", "same")}, "same"));
}

TEST_CASE("what is on a disk is shown, and only a blank one is free") {
    std::vector devices{disk("nvme0n1", ""), partition("nvme0n1p1", "EFI"), partition("nvme0n1p2", ""),
                        disk("sda", "", ContentKind::foreign), disk("sdb", "")};
    devices[0].partitioned = true;
    CHECK(contents_of(devices, devices[0]) == "2 partitions: EFI, nvme0n1p2");
    CHECK(contents_of(devices, devices[3]) == "an xfs file system");
    CHECK_FALSE(is_blank(devices[0]));
    CHECK_FALSE(is_blank(devices[3]));
    CHECK(is_blank(devices[4]));
}

TEST_CASE("partitions are called as the kernel calls them") {
    CHECK(partition_name("vda", 3) == "vda3");
    CHECK(partition_name("nvme0n1", 4) == "nvme0n1p4");
}

TEST_CASE("a new table is one that can be read and changed") {
    const auto table = new_partition_table(two(64 * kMib), 1024 * kMib, guid_of(std::string(16, 'c')));
    REQUIRE(table);
    CHECK(table->start.size() == kGptStart);
    CHECK(table->backup.size() == 33 * kGptSector);
    CHECK(table->backup_at == 1024 * kMib - 33 * kGptSector);
    const auto entries = table->start.substr(2 * kGptSector);
    CHECK(gpt::number_at(entries, gpt::kFirstSector, 8) == 2048);
    CHECK(gpt::number_at(entries, gpt::kLastSector, 8) == 65 * 2048 - 1);
    CHECK(gpt::number_at(entries, 128 + gpt::kLastSector, 8) == 1023 * 2048 - 1);
    // grow_last_partition() checks both sums.
    const auto grown = grow_last_partition(table->start, 2, 2048 * kMib, kMib);
    REQUIRE(grown);
    REQUIRE(*grown);
    CHECK((*grown)->size == (2048 - 66) * kMib);
}

TEST_CASE("partitions that do not fit are refused") {
    CHECK(!new_partition_table(two(64 * kMib), 65 * kMib, guid_of(std::string(16, 'c'))));
    CHECK(!new_partition_table(two(64 * kMib), 0, guid_of(std::string(16, 'c'))));
}

TEST_CASE("a drawn identifier says that it is random") {
    CHECK(guid_of(std::string(16, '\xff')) == "ffffffff-ffff-4fff-bfff-ffffffffffff");
    CHECK(guid_of(std::string(16, '\0')) == "00000000-0000-4000-8000-000000000000");
}

TEST_CASE("the key of the data disk is not written to the disk that it locks") {
    constexpr std::string_view kKey = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=";
    const std::string ini = concat("[node]\ndata-encryption = yes\ndata-key = ", kKey, "\n");
    NodeConfig config;
    REQUIRE(add_ini(config, "the config disk's node.ini", ini, false));
    const std::string text = as_node_file(config);
    CHECK(text.find("data-encryption = yes\n") != std::string::npos);
    CHECK(text.find(kKey) == std::string::npos);
    const TemporaryFolder folder;
    REQUIRE(replace_file(folder.path() + "/node.ini", ini, 0600));
    const auto refused = checked_node_file(folder.path() + "/node.ini");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message.find("would lie on the disk that it locks") != std::string::npos);
    CHECK(refused.error().message.find(kKey) == std::string::npos);
}

TEST_CASE("the installed node gets what this one was told") {
    NodeConfig config;
    REQUIRE(add_ini(config, "/usr/lib/thole/node.ini", "[firewall]\nallow = tcp/6443\n", true));
    REQUIRE(add_ini(config, "the config disk's node.ini",
                    "[node]\nname = n1\n[mesh]\ncluster = c\n[install]\ndisk = auto\n", false));
    REQUIRE(add_command_line(config, "thole.node.data=memory thole.network.address=none"));
    REQUIRE(config.finish());
    const std::string text = as_node_file(config);
    CHECK(text.find("[node]\nname = n1\n") != std::string::npos);
    CHECK(text.find("[mesh]\ncluster = c\n") != std::string::npos);
    CHECK(text.find("[network]\naddress = none\n") != std::string::npos);
    CHECK(text.find("install") == text.find("installed"));
    CHECK(text.find("data") == std::string::npos);
    CHECK(text.find("6443") == std::string::npos);
    CHECK_FALSE(config.is_set("kubernetes.pod-range"));
    NodeConfig installed;
    CHECK(add_ini(installed, "node.ini", text, false));
}
