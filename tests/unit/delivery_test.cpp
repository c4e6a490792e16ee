// How a configuration comes to a node: OEM strings, seeds, URLs; and which of them is stronger.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "boot/config_disk.hpp"
#include "boot/config_url.hpp"
#include "config/node_config.hpp"
#include "config/smbios.hpp"
#include "config/sources.hpp"
#include "os/http.hpp"
#include "temporary_folder.hpp"

using namespace thole;

namespace {

using namespace std::string_literals;

std::string structure(char type, std::string_view formatted, std::initializer_list<std::string_view> strings) {
    std::string text{type, static_cast<char>(4 + formatted.size()), 1, 0};
    text += formatted;
    for (const auto string : strings) {
        text += string;
        text += '\0';
    }
    return text + (strings.size() == 0 ? "\0\0"s : "\0"s);
}

std::string table(std::initializer_list<std::string_view> strings) {
    return structure(0, "bios", {"vendor", "thole.node.name=no"}) + structure(4, "empty", {}) +
           structure(11, "\2", strings) + structure(127, "", {});
}

void write(const std::filesystem::path& path, std::string_view text) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
}

}  // namespace

TEST_CASE("OEM strings are those of type 11") {
    const auto text = table({"one", "thole.node.name=n1"});
    CHECK(oem_strings(text) == std::vector<std::string_view>{"one", "thole.node.name=n1"});
    CHECK(oem_strings("").empty());
    CHECK(oem_strings(text.substr(0, text.size() - 20)).size() <= 2);
    CHECK(oem_strings("\x0b\x03\0\0"s).empty());
    CHECK(oem_strings("\x0b\xff\0\0"s).empty());
}

TEST_CASE("OEM strings set keys, secrets too, and say where a mistake is") {
    NodeConfig config;
    CHECK(add_oem_strings(config, table({"thole.node.name=n1", "thole.mesh.cluster=c",
                                         "thole.mesh.secret=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="})));
    CHECK(config.text("node.name") == "n1");
    CHECK(!config.text("mesh.secret").empty());
    const auto wrong = add_oem_strings(config, table({"thole.node.nam=n1"}));
    REQUIRE(!wrong);
    CHECK(wrong.error().message.find("SMBIOS") != std::string::npos);
    CHECK(wrong.error().message.find("did you mean 'name'") != std::string::npos);
}

TEST_CASE("each source is stronger than the one before it") {
    const TemporaryFolder folder;
    const std::filesystem::path root(folder.path());
    const auto name = [&] {
        const auto config = load_node_config(root.string(), false, {});
        return config ? std::string(config->text("node.name")) : config.error().message;
    };
    const auto ini = [](std::string_view value) { return "[node]\nname = " + std::string(value) + "\n"; };
    write(root / "usr/lib/thole/node.ini", ini("image"));
    CHECK(name() == "image");
    write(root / "var/lib/thole/node.ini", ini("data"));
    CHECK(name() == "data");
    write(root / "run/thole/seed-name.ini", ini("meta"));
    CHECK(name() == "meta");
    write(root / "run/thole/seed.ini", ini("seed"));
    CHECK(name() == "seed");
    write(root / "run/thole/config-disk.ini", ini("disk"));
    CHECK(name() == "disk");
    write(root / "sys/firmware/dmi/tables/DMI", table({"thole.node.name=smbios"}));
    CHECK(name() == "smbios");
    write(root / "sys/firmware/qemu_fw_cfg/by_name/opt/thole/node.ini/raw", ini("fwcfg"));
    CHECK(name() == "fwcfg");
    write(root / "run/thole/url.ini", ini("url"));
    CHECK(name() == "url");
    write(root / "proc/cmdline", "thole.node.name=line");
    CHECK(name() == "line");
}

TEST_CASE("a seed's user-data is taken where it is a node.ini") {
    CHECK(is_node_ini("# mine\n\n[node]\nname = n1\n"));
    CHECK_FALSE(is_node_ini("#cloud-config\nhostname: n1\n"));
    CHECK_FALSE(is_node_ini("#!/bin/sh\necho\n"));
    CHECK_FALSE(is_node_ini(""));
}

TEST_CASE("a seed's meta-data names the node") {
    CHECK(seed_name("instance-id: i-1\nlocal-hostname: n1.example.org\n") == "n1");
    CHECK(seed_name("local-hostname: \"n2\"\n") == "n2");
    CHECK(seed_name("instance-id: i-1\n").empty());
}

TEST_CASE("URLs") {
    const auto whole = parse_url("http://10.0.0.1:8080/a/b.ini?x=1");
    REQUIRE(whole);
    CHECK(whole->host == "10.0.0.1");
    CHECK(whole->port == "8080");
    CHECK(whole->path == "/a/b.ini?x=1");
    CHECK(parse_url("http://[fd00::1]/x")->host == "fd00::1");
    CHECK(parse_url("http://host")->path == "/");
    for (const char* wrong : {"", "ftp://x/y", "http://", "http:///x", "http://h:0/", "http://h:x/", "http://h/a b",
                              "http://[::1/x", "http://[::1]x/"}) {
        CHECK_MESSAGE(!parse_url(wrong), wrong);
    }
    CHECK(parse_url("https://h/x").error().message.find("HTTPS") != std::string::npos);
}

TEST_CASE("a configuration's URL needs its sum") {
    const std::string sum = sha256("text");
    CHECK(sum == "982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1");
    CHECK(!*config_url("console=ttyS0"));
    const auto both = config_url("ro thole-config-url=http://h/x thole-config-sha256=" + sum);
    REQUIRE(both);
    CHECK((*both)->url == "http://h/x");
    CHECK(!config_url("thole-config-url=http://h/x"));
    CHECK(!config_url("thole-config-sha256=" + sum));
    CHECK(!config_url("thole-config-url=http://h/x thole-config-sha256=12"));
}
