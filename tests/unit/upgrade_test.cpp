// What an upgrade reads: bundles' headers, versions, signatures, names of kernel images, partitions.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "base/text.hpp"
#include "boot/partition_table.hpp"
#include "upgrade/bundle.hpp"
#include "upgrade/entries.hpp"
#include "upgrade/signature.hpp"
#include "upgrade/slots.hpp"

using namespace thole;
using namespace thole::upgrade;

namespace {

constexpr std::string_view kSum = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

std::string header(std::string_view version = "0.2.0", std::string_view more = "") {
    return concat("thole upgrade 1\nsignature -\nversion ", version,
                  "\narchitecture x86_64\ndata-format 1\npartition 01234567-89ab-cdef-0123-456789abcdef\n", more,
                  "kernel 12 ", kSum, "\nroot 4096 ", kSum, "\n\n");
}

std::string error_of(std::string_view text) {
    const auto bundle = parse_bundle(text);
    return bundle ? "" : bundle.error().message;
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

BlockDevice partition(std::string name, std::string label, bool root = false) {
    BlockDevice device;
    device.name = std::move(name);
    device.label = std::move(label);
    device.partition = true;
    device.root = root;
    return device;
}

}  // namespace

TEST_CASE("a bundle's header") {
    const std::string text = concat(header(), "kernel bytes");
    const auto bundle = parse_bundle(text);
    REQUIRE(bundle);
    CHECK(bundle->version == "0.2.0");
    CHECK(bundle->kernel.size == 12);
    CHECK(bundle->root.size == 4096);
    CHECK(bundle->begin == header().size());
    CHECK(bundle->is_signed.starts_with("version 0.2.0\n"));
    CHECK(bundle->is_signed.ends_with("\n\n"));
}

TEST_CASE("bundles that are none") {
    CHECK(contains(error_of(""), "does not begin with"));
    CHECK(contains(error_of("\x7F"
                            "ELF"),
                   "does not begin with"));
    CHECK(contains(error_of("thole upgrade 1\nversion 1\n\n"), "line 2 is not its signature"));
    CHECK(contains(error_of(header("../../x")), "line 3"));
    CHECK(contains(error_of(header("0.2.0", "colour blue\n")), "line 7"));
    CHECK(contains(error_of(header("0.2.0", "kernel -1 00\n")), "line 7"));
    CHECK(contains(error_of("thole upgrade 1\nsignature -\nversion 1\n\n"), "does not say"));
    CHECK(contains(error_of(concat("thole upgrade 1\nsignature -\nversion 1\n", std::string(9000, 'x'))), "line 4"));
    std::string cut = header();
    cut.resize(cut.size() - 1);
    CHECK(contains(error_of(cut), "does not end"));
}

TEST_CASE("versions") {
    CHECK(compare_versions("0.2.0", "0.10.0") < 0);
    CHECK(compare_versions("1.0", "1.0.1") < 0);
    CHECK(compare_versions("1.0~rc1", "1.0") < 0);
    CHECK(compare_versions("1.0a", "1.0b") < 0);
    CHECK(compare_versions("01.0", "1.0") == 0);
    CHECK(compare_versions("2", "1.9.9") > 0);
    CHECK(is_version("0.2.0~rc1"));
    CHECK_FALSE(is_version("v1"));
    CHECK_FALSE(is_version("1/2"));
    CHECK_FALSE(is_version("1+2"));
}

TEST_CASE("signatures: RFC 8032's second test, and none") {
    // Public key, message 0x72 and signature of section 7.1, TEST 2.
    constexpr std::string_view kKey = "PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=";
    constexpr std::string_view kSignature =
        "kqAJqfDUyrhyDoILX2QlQKKye1QWUD+Ps3YiI+vbadoIWsHkPhWZbkWPNhPQ8R2MOHsurrQwKu6wDSkWErsMAA==";
    Bundle bundle;
    bundle.signature = kSignature;
    bundle.is_signed = "r";
    const std::vector<std::string_view> keys{"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", kKey};
    CHECK(check_signature(bundle, keys));
    bundle.is_signed = "s";
    CHECK_FALSE(check_signature(bundle, keys));
    bundle.is_signed = "r";
    CHECK_FALSE(check_signature(bundle, {}));
    CHECK_FALSE(check_signature(bundle, std::span(keys).first(1)));
    for (const auto* text : {"-", "", "AAAA", "not base64"}) {
        bundle.signature = text;
        CHECK_FALSE(check_signature(bundle, keys));
    }
    CHECK(is_public_key(kKey));
    CHECK_FALSE(is_public_key("AAAA"));
}

TEST_CASE("names of kernel images and their tries") {
    const auto counted = parse_entry("thole-0.2.0+2-1.efi");
    REQUIRE(counted);
    CHECK(counted->version == "0.2.0");
    CHECK(counted->left == 2U);
    CHECK(counted->done == 1);
    CHECK_FALSE(counted->given_up());
    CHECK(parse_entry("thole-0.2.0.efi")->left == std::nullopt);
    CHECK(parse_entry("thole-0.2.0+0-3.efi")->given_up());
    for (const auto* name :
         {"other.efi", "thole-.efi", "thole-1+x.efi", "thole-1+1-x.efi", "thole-1.EFI", "unfinished"}) {
        CHECK_FALSE(parse_entry(name));
    }
    for (const auto* name : {"thole-0.2.0+2-1.efi", "thole-0.2.0+3.efi", "thole-1.efi"}) {
        CHECK(file_name(*parse_entry(name)) == name);
    }
}

TEST_CASE("the version to go back to") {
    const std::vector<std::string> files{"thole-0.1.0+3.efi", "thole-0.2.0+2-1.efi", "thole-0.3.0+0-3.efi", "x"};
    CHECK(find_version(files, "0.2.0") == "thole-0.2.0+2-1.efi");
    CHECK(find_version(files, "9") == "");
    CHECK(other_version(files, "0.2.0") == "0.1.0");
    CHECK(other_version(files, "0.1.0") == "0.2.0");
    CHECK(other_version({"thole-0.1.0+3.efi"}, "0.1.0") == "");
}

TEST_CASE("the slots of the disk that the node was booted from") {
    const std::vector<BlockDevice> devices{
        partition("nvme0n1p1", "thole-esp"), partition("nvme0n1p2", "thole-root-a", true),
        partition("nvme0n1p3", "thole-root-b"), partition("nvme1n1p3", "thole-root-b"), partition("sda1", "thole-esp")};
    const auto slots = find_slots(devices);
    REQUIRE(slots);
    CHECK(slots->running.name == "nvme0n1p2");
    CHECK(slots->other.name == "nvme0n1p3");
    CHECK(slots->esp.name == "nvme0n1p1");
    CHECK_FALSE(find_slots({partition("vda1", "thole-root-a")}));
    CHECK_FALSE(find_slots({partition("vda1", "thole-root-a", true)}));
}
