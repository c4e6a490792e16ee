// The data disk: what lies on disks, which one is chosen, and what it says of the time. No root needed.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "boot/block.hpp"
#include "boot/clock_floor.hpp"
#include "boot/config_disk.hpp"
#include "boot/config_medium.hpp"
#include "boot/content.hpp"
#include "boot/disk_choice.hpp"
#include "os/file.hpp"
#include "temporary_folder.hpp"

using namespace thole;

namespace {

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30U;

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

std::string zeros() { return std::string(kProbeSize, '\0'); }

void put(std::string& bytes, std::size_t offset, std::string_view piece) { bytes.replace(offset, piece.size(), piece); }

/// The start of an ext4 file system with `blocks` blocks of 4 KiB.
std::string ext4(std::string_view label, std::uint32_t blocks, bool clean = true, bool mounted = false) {
    std::string bytes = zeros();
    const auto number = [&](std::size_t offset, std::uint32_t value) {
        for (std::size_t index = 0; index < 4; ++index) {
            bytes[1024 + offset + index] = static_cast<char>(value >> (8 * index));
        }
    };
    number(0x04, blocks);
    number(0x18, 2);
    number(0x2C, mounted ? 1'700'000'000 : 0);
    put(bytes, 1024 + 0x38, "\x53\xEF\x01");
    number(0x5C, 0x4);
    number(0x60, clean ? 0x2C2 : 0x2C6);
    put(bytes, 1024 + 0x78, label);
    return bytes;
}

std::string marked_end() {
    std::string bytes = zeros();
    put(bytes, bytes.size() - 4096, kFormatMarker);
    return bytes;
}

ContentKind kind_of(const std::string& start, const std::string& end) {
    return describe_content(start, end, kGiB).kind;
}

BlockDevice disk(std::string name, ContentKind kind, std::string label = "", std::uint64_t size = kGiB) {
    BlockDevice device;
    device.name = std::move(name);
    device.size = size;
    device.label = std::move(label);
    device.content = {kind, kind == ContentKind::foreign ? "an xfs file system" : "nothing",
                      kind == ContentKind::ours ? size : 0, true, 0};
    return device;
}

}  // namespace

TEST_CASE("what lies on a disk is told from its magic numbers") {
    const auto what = [](std::size_t offset, std::string_view magic) {
        std::string start = zeros();
        put(start, offset, magic);
        const Content content = describe_content(start, zeros(), kGiB);
        return content.kind == ContentKind::foreign ? content.what : "not foreign";
    };
    CHECK(what(0, "XFSB") == "an xfs file system");
    CHECK(what(0x10040, "_BHRfS_M") == "a btrfs file system");
    CHECK(what(3, "NTFS    ") == "an NTFS file system");
    CHECK(what(0x52, "FAT32   ") == "a FAT file system");
    CHECK(what(0, "LUKS\xBA\xBE") == "a LUKS container");
    CHECK(what(4086, "SWAPSPACE2") == "swap space");
    CHECK(what(0, "hsqs") == "a squashfs image");
    CHECK(what(1024, "\xE2\xE1\xF5\xE0") == "an erofs image");
    CHECK(what(512, "LABELONE") == "an LVM physical volume");
    CHECK(what(512, "EFI PART") == "a GPT partition table");
    CHECK(what(510, "\x55\xAA") == "a partition table or boot sector");
    CHECK(what(777'777, "x") == "data of an unknown kind");
}

TEST_CASE("blank means zero at both ends") {
    CHECK(kind_of(zeros(), zeros()) == ContentKind::blank);
    std::string end = zeros();
    end.back() = 1;
    CHECK(kind_of(zeros(), end) == ContentKind::foreign);
}

TEST_CASE("our file system is known by its label") {
    const Content ours = describe_content(ext4("thole-data", 1000), zeros(), kGiB);
    CHECK(ours.kind == ContentKind::ours);
    CHECK(ours.size == 4'096'000);
    CHECK(ours.clean);
    CHECK_FALSE(describe_content(ext4("thole-data", 1000, false), zeros(), kGiB).clean);
    const Content other = describe_content(ext4("root", 1000), zeros(), kGiB);
    CHECK(other.kind == ContentKind::foreign);
    CHECK(other.what == "an ext4 file system with the label 'root'");
    CHECK(describe_content(ext4("", 1000), zeros(), kGiB).what == "an ext4 file system without a label");
    CHECK(kind_of(ext4("thole-data2", 1000), zeros()) == ContentKind::foreign);
}

TEST_CASE("an encrypted disk is ours by the label of its LUKS2 header") {
    const auto luks = [](std::string_view version, std::string_view label) {
        std::string start = zeros();
        put(start, 0, "LUKS\xBA\xBE");
        put(start, 7, version);
        put(start, 24, label);
        return start;
    };
    CHECK(kind_of(luks("\2", "thole-data"), zeros()) == ContentKind::locked);
    CHECK(kind_of(luks("\2", "thole-data"), marked_end()) == ContentKind::interrupted);
    CHECK(kind_of(luks("\1", "thole-data"), zeros()) == ContentKind::foreign);
    CHECK(kind_of(luks("\2", "thole-data2"), zeros()) == ContentKind::foreign);
    CHECK(choose_data_disk({disk("vdb", ContentKind::blank), disk("vdc", ContentKind::locked)}).device == 1);
    CHECK(choose_data_disk({disk("vdb", ContentKind::ours), disk("vdc", ContentKind::locked)}).action ==
          DiskAction::stop);
}

TEST_CASE("an interrupted format is told by its marker, but never a file system in use") {
    std::string half = zeros();
    put(half, 300'000, "half written tables");
    CHECK(kind_of(half, marked_end()) == ContentKind::interrupted);
    CHECK(kind_of(zeros(), marked_end()) == ContentKind::interrupted);
    CHECK(kind_of(ext4("thole-data", 1000), marked_end()) == ContentKind::interrupted);
    CHECK(kind_of(ext4("thole-data", 1000, true, true), marked_end()) == ContentKind::ours);
    CHECK(kind_of(ext4("thole-data", kGiB / 4096), marked_end()) == ContentKind::ours);
    CHECK(kind_of(ext4("root", kGiB / 4096), marked_end()) == ContentKind::foreign);
}

TEST_CASE("the data disk is chosen, or the node stops") {
    const auto blank = disk("vdb", ContentKind::blank);
    const auto ours = disk("vdc", ContentKind::ours);
    SUBCASE("our label first") {
        const auto choice = choose_data_disk({blank, ours});
        CHECK(choice.action == DiskAction::use);
        CHECK(choice.device == 1);
    }
    SUBCASE("two with our label") {
        const auto choice = choose_data_disk({ours, disk("vdd", ContentKind::ours)});
        CHECK(choice.action == DiskAction::stop);
        CHECK(contains(choice.message, "/dev/vdc and /dev/vdd"));
    }
    SUBCASE("the only blank disk") {
        const auto choice = choose_data_disk({disk("vda", ContentKind::foreign), blank});
        CHECK(choice.action == DiskAction::format);
        CHECK(choice.device == 1);
    }
    SUBCASE("two blank disks, one named") {
        CHECK(choose_data_disk({blank, disk("vdc", ContentKind::blank)}).action == DiskAction::stop);
        const auto choice = choose_data_disk({blank, disk("vdc", ContentKind::blank, "thole-data")});
        CHECK(choice.action == DiskAction::format);
        CHECK(choice.device == 1);
    }
    SUBCASE("the named disk holds something else") {
        const auto choice = choose_data_disk({blank, disk("vdc", ContentKind::foreign, "thole-data")});
        CHECK(choice.action == DiskAction::stop);
        CHECK(contains(choice.message,
                       "The data disk /dev/vdc (serial thole-data) holds an xfs file system. It was not touched."));
    }
    SUBCASE("the named disk is partitioned") {
        auto parted = disk("vdc", ContentKind::foreign, "thole-data");
        parted.partitioned = true;
        auto part = disk("vdc1", ContentKind::blank);
        part.partition = true;
        const auto choice = choose_data_disk({blank, parted, part});
        CHECK(choice.action == DiskAction::stop);
        CHECK(contains(choice.message,
                       "The data disk /dev/vdc (serial thole-data) holds a partition table. It was not touched."));
        part.label = "thole-data";
        CHECK(choose_data_disk({blank, parted, part}).device == 2);
    }
    SUBCASE("an interrupted format is done again") {
        CHECK(choose_data_disk({blank, disk("vdc", ContentKind::interrupted)}).device == 1);
    }
    SUBCASE("disks that are never taken") {
        auto root = disk("vda", ContentKind::blank);
        root.root = true;
        auto parted = disk("vdb", ContentKind::blank);
        parted.partitioned = true;
        auto part = disk("vdb1", ContentKind::blank);
        part.partition = true;
        const auto tiny = disk("vdc", ContentKind::blank, "", 1 << 20);
        CHECK(choose_data_disk({root, parted, part, tiny}).action == DiskAction::none);
        part.label = "thole-data";
        CHECK(choose_data_disk({root, parted, part, tiny}).action == DiskAction::format);
        CHECK(choose_data_disk({disk("vdc", ContentKind::blank, "thole-data", 1 << 20)}).action == DiskAction::stop);
    }
    SUBCASE("no disk, and what else is there") {
        CHECK(choose_data_disk({}).action == DiskAction::none);
        CHECK(contains(choose_data_disk({disk("sda", ContentKind::foreign)}).message,
                       "/dev/sda holds an xfs file system"));
    }
    SUBCASE("a disk that was cut short") {
        auto cut = ours;
        cut.size = kGiB / 2;
        const auto choice = choose_data_disk({cut});
        CHECK(choice.action == DiskAction::stop);
        CHECK(contains(choice.message, "was cut short: it has 512 MiB, its file system 1024 MiB"));
    }
}

TEST_CASE("a clock that cannot be right goes on from the last write") {
    constexpr std::int64_t kYear2030 = 1'893'456'000;
    CHECK(clock_floor(kYear2030, 0) == 0);
    CHECK(clock_floor(kYear2030, kYear2030 + 1) == 0);
    CHECK(clock_floor(5, kYear2030) == kYear2030);
    CHECK(clock_floor(5, 0) == 1'767'225'600);
    std::string start = ext4("thole-data", 1000);
    put(start, 1024 + 0x30, std::string_view("\x00\x25\xDC\x70", 4));
    CHECK(describe_content(start, zeros(), kGiB).written == 0x70DC2500);
}

TEST_CASE("block devices as sysfs shows them") {
    const TemporaryFolder sys;
    const auto device = [&](const std::string& below, std::string_view sectors) {
        const std::string directory = sys.path() + "/devices/" + below;
        REQUIRE(make_directories(directory));
        REQUIRE(replace_file(directory + "/size", sectors, 0644));
        REQUIRE(replace_file(directory + "/ro", "0\n", 0644));
        REQUIRE(make_directories(sys.path() + "/class/block"));
        const std::string name = below.substr(below.rfind('/') + 1);
        REQUIRE(::symlink(("../../devices/" + below).c_str(), (sys.path() + "/class/block/" + name).c_str()) == 0);
        return directory;
    };
    device("vda", "2097152\n");
    const auto part = device("vda/vda1", "1048576\n");
    REQUIRE(replace_file(part + "/partition", "1\n", 0644));
    REQUIRE(replace_file(part + "/uevent", "MAJOR=254\nMINOR=1\nDEVNAME=vda1\nPARTNAME=thole-root-a\n", 0644));
    const auto data = device("vdb", "4194304\n");
    REQUIRE(replace_file(data + "/serial", "thole-data", 0644));
    device("loop0", "100\n");
    device("sr0", "100\n");
    device("vdc", "0\n");
    const auto devices = list_block_devices(sys.path(), "vda1");
    REQUIRE(devices.size() == 3);
    CHECK(devices[0].name == "vda");
    CHECK(devices[0].partitioned);
    CHECK(devices[0].root);
    CHECK(devices[1].label == "thole-root-a");
    CHECK(devices[1].root);
    CHECK(devices[2].label == "thole-data");
    CHECK(devices[2].size == 2 * kGiB);

    const auto readable = list_readable_devices(sys.path(), "vda1");
    CHECK(readable.size() == devices.size() + 1);
    CHECK(std::ranges::find(readable, "sr0", &BlockDevice::name) != readable.end());

    REQUIRE(make_directories(sys.path() + "/dev/block"));
    REQUIRE(::symlink("../../devices/vda/vda1", (sys.path() + "/dev/block/254:1").c_str()) == 0);
    CHECK(root_device(sys.path(), "20 1 0:5 / /dev rw - devtmpfs x rw\n21 0 254:1 / / ro - erofs /dev/root ro\n") ==
          "vda1");
    CHECK(root_device(sys.path(), "21 0 0:30 / / rw - overlay overlay rw\n").empty());
    const auto mapper = device("dm-0", "1048576\n");
    REQUIRE(make_directories(mapper + "/slaves/vda1"));
    REQUIRE(::symlink("../../devices/dm-0", (sys.path() + "/dev/block/253:0").c_str()) == 0);
    CHECK(root_device(sys.path(), "21 0 253:0 / / ro - erofs /dev/dm-0 ro\n") == "vda1");
}

TEST_CASE("config disk: file systems and their labels") {
    const auto seen = [](std::size_t offset, std::string_view magic, std::size_t label_offset, std::string_view label) {
        std::string start(kLabelProbe, '\0');
        put(start, offset, magic);
        put(start, label_offset, label);
        const FileSystem system = identify_file_system(start);
        return concat(system.type, ":", system.label);
    };
    CHECK(seen(0x36, "FAT16   ", 0x2B, "THOLECONFIG") == "vfat:THOLECONFIG");
    CHECK(seen(0x36, "FAT12   ", 0x2B, "STICK      ") == "vfat:STICK");
    CHECK(seen(0x52, "FAT32   ", 0x47, "THOLECONFIG") == "vfat:THOLECONFIG");
    CHECK(seen(0x8001, "CD001", 0x8028, "thole-config                    ") == "iso9660:thole-config");
    CHECK(seen(1024 + 0x38, "\x53\xEF", 1024 + 0x78, "thole-config") == "ext4:thole-config");
    CHECK(identify_file_system("").type.empty());
    CHECK(identify_file_system(std::string(1024 + 0x3A, '\xEF')).type.empty());
    CHECK(identify_file_system(zeros()).type.empty());
    CHECK(same_label("thole-config", kConfigLabel));
    CHECK(same_label("THOLECONFIG", kConfigLabel));
    CHECK(same_label("THOLE_CONFIG", kConfigLabel));
    CHECK_FALSE(same_label("thole-data", kConfigLabel));
    CHECK_FALSE(same_label("thole-configs", kConfigLabel));
    CHECK_FALSE(same_label("", kConfigLabel));
    CHECK(same_label("CIDATA", "cidata"));
}
