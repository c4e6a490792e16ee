// The node's key over power cuts and bad files.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "identity.hpp"
#include "os/file.hpp"
#include "temporary_folder.hpp"

using namespace thole;
using namespace thole::mesh;

namespace {

/// What must reach the disk in order, as the functions below saw it.
std::vector<std::string>& steps() {
    static std::vector<std::string> all;
    return all;
}

std::string name_of(int fd) {
    std::array<char, 512> target{};
    const auto link = "/proc/self/fd/" + std::to_string(fd);
    const ssize_t size = ::readlink(link.c_str(), target.data(), target.size());
    const std::string path(target.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    return path.substr(path.rfind('/') + 1);
}

Block numbered(std::uint8_t first) {
    Block block{};
    block.fill(first);
    return block;
}

std::string message_of(const Result<PrivateKey>& result) { return result ? "" : result.error().message; }

void put(const std::string& path, std::string_view content, mode_t mode = 0600) {
    ::unlink(path.c_str());
    const auto fd = open_file(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
    CHECK((fd && write_all(fd->get(), content, path) && ::fchmod(fd->get(), mode) == 0));
}

/// A node's folder in a world of its own.
struct Place {
    TemporaryFolder world;
    std::string folder = world.path() + "/mesh";
    std::string key = folder + "/private.key";
};

}  // namespace

// In place of the C library's, for this program: they do the same and write down when.
extern "C" int fsync(int fd) {
    steps().push_back("fsync " + name_of(fd));
    return static_cast<int>(::syscall(SYS_fsync, fd));
}

// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): glibc's have underscores
extern "C" int rename(const char* from, const char* to) noexcept {
    const std::string_view name = to;
    steps().push_back("rename to " + std::string(name.substr(name.rfind('/') + 1)));
    return static_cast<int>(::syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

TEST_CASE("key: made once, kept, for the owner alone") {
    const Place place;
    const auto first = node_key(place.folder, numbered(7));
    REQUIRE(first);
    const auto second = node_key(place.folder, numbered(8));
    REQUIRE(second);
    CHECK(first->public_key() == second->public_key());
    CHECK(first->public_key() == PrivateKey::from_random(numbered(7)).public_key());
    struct stat information{};
    CHECK(::stat(place.key.c_str(), &information) == 0);
    CHECK((information.st_mode & 07777U) == 0600);
    CHECK(information.st_size == 45);
    CHECK(::stat(place.folder.c_str(), &information) == 0);
    CHECK((information.st_mode & 07777U) == 0700);
}

TEST_CASE("key: no random numbers, no key") {
    const Place place;
    CHECK(message_of(node_key(place.folder, Block{})).find("no random numbers") != std::string::npos);
    CHECK_FALSE(path_exists(place.key));
}

TEST_CASE("key: content before name, name before its use") {
    const Place place;
    steps().clear();
    CHECK(node_key(place.folder, numbered(7)));
    const std::string world = place.world.path();
    CHECK(steps() == std::vector<std::string>{"fsync " + world.substr(world.rfind('/') + 1), "fsync private.key.new",
                                              "rename to private.key", "fsync mesh"});
}

TEST_CASE("key: every state that a power cut on the first boot can leave") {
    // By the order above: until the rename is on the disk the new file may have any length, or not be there; after it
    // the key is whole. The folder may be missing until it was saved.
    const std::string whole = base64_text(PrivateKey::from_random(numbered(7)).bytes()) + "\n";
    struct Cut {
        bool folder;
        std::size_t written;  // of the new file; npos: it is not there
        bool renamed;
    };
    std::vector<Cut> cuts{{false, std::string::npos, false}, {true, std::string::npos, false}};
    for (std::size_t length = 0; length <= whole.size(); ++length) {
        cuts.push_back({true, length, false});
    }
    cuts.push_back({true, whole.size(), true});
    for (const Cut& cut : cuts) {
        INFO("written " << cut.written << ", renamed " << cut.renamed);
        const Place place;
        if (cut.folder) {
            CHECK(::mkdir(place.folder.c_str(), 0700) == 0);
        }
        if (cut.written != std::string::npos) {
            put(cut.renamed ? place.key : place.key + ".new", whole.substr(0, cut.written), 0600);
        }
        const auto key = node_key(place.folder, numbered(9));
        REQUIRE(key);
        const auto expected = PrivateKey::from_random(numbered(cut.renamed ? 7 : 9)).public_key();
        CHECK(key->public_key() == expected);
        CHECK(node_key(place.folder, numbered(10))->public_key() == expected);
        CHECK_FALSE(path_exists(place.key + ".new"));
    }
}

TEST_CASE("key: what a cut left is not trusted with the next") {
    const Place place;
    CHECK(::mkdir(place.folder.c_str(), 0700) == 0);
    put(place.key + ".new", "somebody reads this", 0666);
    const auto open_before = open_file(place.key + ".new", O_RDONLY);
    CHECK(node_key(place.folder, numbered(9)));
    std::array<char, 64> buffer{};
    CHECK(::read(open_before->get(), buffer.data(), buffer.size()) == 19);
    CHECK(std::string(buffer.data(), 19) == "somebody reads this");
}

TEST_CASE("key: a file that is not right is an error that says what to do") {
    const Place place;
    REQUIRE(node_key(place.folder, numbered(7)));
    const auto text = read_file(place.key).value_or("");
    const auto says = [&](std::string_view words) {
        const auto message = message_of(node_key(place.folder, numbered(8)));
        INFO(message);
        CHECK(message.find(place.key) != std::string::npos);
        CHECK(message.find(words) != std::string::npos);
        CHECK(message.find("remove it to make this a new node") != std::string::npos);
        CHECK(message.find(text.substr(0, 20)) == std::string::npos);
    };
    put(place.key, "");
    says("is empty");
    put(place.key, text.substr(0, 20));
    says("cut off");
    put(place.key, text.substr(0, 20) + "\n");
    says("44 letters");
    put(place.key, text + text);
    says("cut off");
    put(place.key, text + "\n");
    says("44 letters");
    put(place.key, std::string(44, '\0') + "\n");
    says("44 letters");
    put(place.key, text, 0604);
    says("by others than its owner");
    put(place.key, text, 0640);
    says("chmod 0600");
    ::unlink(place.key.c_str());
    CHECK(::symlink("/dev/null", place.key.c_str()) == 0);
    says("is a link");
    ::unlink(place.key.c_str());
    CHECK(::mkfifo(place.key.c_str(), 0600) == 0);
    says("is not a file");
    ::unlink(place.key.c_str());
    if (::geteuid() == 0) {
        put(place.key, text);
        CHECK(::chown(place.key.c_str(), 1234, 1234) == 0);
        says("belongs to the user 1234");
    }
}

TEST_CASE("state: epochs only grow, by the clock or by one") {
    const Place place;
    REQUIRE(node_key(place.folder, numbered(7)));
    CHECK(begin_epoch(place.folder, 0)->epoch == 1);
    CHECK(begin_epoch(place.folder, 0)->epoch == 2);
    CHECK(begin_epoch(place.folder, 1'000)->epoch == 1'000);
    CHECK(begin_epoch(place.folder, 500)->epoch == 1'001);
    CHECK(save_state(place.folder, {.epoch = 1'001, .attempt = 3, .settled = 77}));
    CHECK(*begin_epoch(place.folder, 500) == NodeState{.epoch = 1'002, .attempt = 3, .settled = 77});
    put(place.folder + "/state", "epoch 5\natt");
    CHECK(*begin_epoch(place.folder, 2'000) == NodeState{.epoch = 2'000});
}

TEST_CASE("state: read strictly") {
    CHECK(parse_state(state_text({.epoch = 7, .attempt = 2, .settled = 5})) ==
          NodeState{.epoch = 7, .attempt = 2, .settled = 5});
    for (const std::string_view text :
         {"", "epoch 7\n", "epoch 7\nattempt 0\nsettled 1", "epoch -7\nattempt 0\nsettled 1\n",
          "epoch 7\nattempt 256\nsettled 1\n", "epoch 7\nattempt 0\nsettled 1\n\n"}) {
        CHECK(parse_state(text) == NodeState());
    }
}
