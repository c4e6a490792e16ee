// Units from directories: which file holds, drop-ins, instances of templates.
#include <doctest/doctest.h>

#include <sys/stat.h>

#include "daemon/units.hpp"
#include "fake_platform.hpp"
#include "os/file.hpp"
#include "temporary_folder.hpp"

using namespace thole;

namespace {

struct Folders {
    Folders() {
        for (const char* name : {"image", "disk"}) {
            ::mkdir((folder.path() + "/" + name).c_str(), 0755);
        }
        image = folder.path() + "/image";
        disk = folder.path() + "/disk";
        absent = folder.path() + "/absent";
        directories = {image, disk, absent};
    }

    void write(const std::string& path, const std::string& text) const {
        (void)make_directories(path.substr(0, path.rfind('/')));
        REQUIRE(replace_file(path, text, 0644));
    }

    Result<std::vector<Unit>> load(const std::vector<std::string>& instances = {}) {
        errors.clear();
        return load_units(
            directories, [](std::string_view text) -> Result<std::string> { return std::string(text); }, instances,
            errors);
    }

    TemporaryFolder folder;
    std::string image;
    std::string disk;
    std::string absent;
    std::vector<std::string_view> directories;
    std::vector<Error> errors;
};

const Unit* find(const std::vector<Unit>& units, std::string_view name) {
    const auto found = std::ranges::find(units, name, &Unit::name);
    return found == units.end() ? nullptr : &*found;
}

}  // namespace

TEST_CASE("unit files: a later directory's file replaces an earlier one's, drop-ins add to whichever holds") {
    Folders folders;
    folders.write(folders.image + "/a.unit", "[service]\ncommand = /bin/image\nnice = 1\n");
    folders.write(folders.image + "/b.unit", "[service]\ncommand = /bin/b\n");
    folders.write(folders.disk + "/a.unit", "[service]\ncommand = /bin/disk\n");
    folders.write(folders.disk + "/b.unit.d/enabled.conf", "[unit]\nenabled = no\n");
    folders.write(folders.disk + "/b.unit.d/notes.txt", "not read\n");
    const auto units = folders.load();
    REQUIRE(units);
    CHECK(units->size() == 2);
    CHECK(find(*units, "a")->command.at(0) == "/bin/disk");
    CHECK(find(*units, "a")->nice == 0);
    CHECK(!find(*units, "b")->enabled);
}

TEST_CASE("unit files: instances come into being by being named, by units or by a person") {
    Folders folders;
    folders.write(folders.image + "/serve@.unit", "[unit]\nwants = log@%i\n[service]\ncommand = /bin/serve %i\n");
    folders.write(folders.image + "/log@.unit", "[service]\ncommand = /bin/log %i\n");
    folders.write(folders.image + "/main.unit", "[unit]\nrequires = serve@1\n[service]\ncommand = /bin/main\n");
    folders.write(folders.disk + "/serve@.unit.d/all.conf", "[service]\nnice = 3\n");
    folders.write(folders.disk + "/serve@2.unit.d/own.conf", "[service]\nnice = 4\n");
    const auto units = folders.load({"serve@2", "nothing@9"});
    REQUIRE(units);
    CHECK(units->size() == 5);
    CHECK(find(*units, "serve@1")->nice == 3);
    CHECK(find(*units, "serve@2")->nice == 4);
    CHECK(find(*units, "log@1")->command.at(1) == "1");
    CHECK(find(*units, "log@2") != nullptr);
    // Its own drop-in, as `thole enable` writes it, names an instance too.
    const auto enabled = folders.load();
    REQUIRE(enabled);
    CHECK(find(*enabled, "serve@2") != nullptr);
}

TEST_CASE("unit files: every wrong file is named, not only the first") {
    Folders folders;
    folders.write(folders.image + "/a.unit", "[service]\ncomand = /bin/a\n");
    folders.write(folders.image + "/b.unit", "[service]\n");
    CHECK(!folders.load());
    CHECK(folders.errors.size() == 2);
}
