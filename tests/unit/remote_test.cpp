// What `thole -n` says on the wire: grants, the handshake, frames, requests, and what may be asked.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <string>
#include <vector>

#include "allowed.hpp"
#include "base/text.hpp"
#include "frames.hpp"
#include "grant.hpp"
#include "handshake.hpp"
#include "os/file.hpp"
#include "temporary_folder.hpp"
#include "wires.hpp"

using namespace thole;
using namespace thole::remote;

namespace {

mesh::Block block(std::uint8_t seed) {
    mesh::Block bytes{};
    bytes.fill(seed);
    return bytes;
}

mesh::ClusterSecret secret(std::uint8_t seed = 1) { return mesh::ClusterSecret(block(seed)); }

Grant grant(Role role = Role::read_only) { return {block(7), role, 2'000'000'000, "alice"}; }

Identity identity(const Grant& of = grant(), std::uint8_t seed = 1) { return {of, grant_key(secret(seed), of), {}}; }

mesh::Bytes bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::vector<std::string> words(std::string_view text) {
    std::vector<std::string> all;
    for (const auto word : split_words(text)) {
        all.emplace_back(word);
    }
    return all;
}

bool allowed(Role role, std::string_view text) { return check_allowed(role, words(text)).has_value(); }

}  // namespace

TEST_CASE("grant: the key comes from all that was granted") {
    const auto key_of = [](const Grant& one, std::uint8_t seed = 1) { return grant_key(secret(seed), one).bytes(); };
    const auto key = key_of(grant());
    CHECK(key == key_of(grant()));
    CHECK(key != key_of(grant(Role::admin)));
    CHECK(key != key_of(grant(), 2));
    Grant other = grant();
    other.expires += 1;
    CHECK(key != key_of(other));
    other = grant();
    other.name = "alicf";
    CHECK(key != key_of(other));
    other = grant();
    other.id[31] ^= 1U;
    CHECK(key != key_of(other));
    CHECK(node_identity(secret(), "n1").key.bytes() != node_identity(secret(), "n2").key.bytes());
}

TEST_CASE("grant: a client's file, there and back") {
    Identity made = identity(grant(Role::admin));
    made.endpoint = "192.0.2.1:51874";
    const std::string text = client_file(made, "harbour");
    CHECK(text.find("until 2033-05-18") != std::string::npos);
    const auto read = parse_client_file("f", text);
    REQUIRE(read);
    CHECK(read->grant == made.grant);
    CHECK(read->key.bytes() == made.key.bytes());
    CHECK(read->endpoint == "192.0.2.1:51874");
    CHECK_FALSE(parse_client_file("f", text.substr(0, text.find("key ="))));
    CHECK_FALSE(parse_client_file("f", text + "name = bob\n"));
    CHECK_FALSE(parse_client_file("f", "[client]\nrole = root\n"));
    CHECK_FALSE(parse_client_file("f", "[client]\nname = A\n"));
    CHECK(parse_client_file("f", "[client]\nkey = hunter2\n").error().message.find("hunter2") == std::string::npos);

    const TemporaryFolder folder;
    const std::string path = folder.path() + "/alice.client";
    REQUIRE(replace_file(path, text, 0640));
    const auto open_to_others = load_client(path);
    REQUIRE_FALSE(open_to_others);
    CHECK(open_to_others.error().message.find("chmod 600") != std::string::npos);
    REQUIRE(replace_file(path, text, 0600));
    CHECK(load_client(path));
}

TEST_CASE("handshake: both ends come to the same keys, new ones each time") {
    const Identity client = identity();
    const Hello hello = make_hello(client, block(11));
    const auto shown = read_hello(hello.bytes);
    REQUIRE(shown);
    CHECK(*shown == client.grant);
    CHECK(proves_grant(hello.bytes, grant_key(secret(), *shown)));
    const auto answer = answer_hello(hello.bytes, client.key, block(12));
    REQUIRE(answer);
    const auto keys = take_answer(hello, client.key, answer->bytes);
    REQUIRE(keys);
    CHECK(keys->to_server.bytes() == answer->keys.to_server.bytes());
    CHECK(keys->to_client.bytes() == answer->keys.to_client.bytes());
    CHECK(keys->to_server.bytes() != keys->to_client.bytes());
    // A repeated hello leads to other keys, which who repeats it cannot know.
    const auto again = answer_hello(hello.bytes, client.key, block(13));
    CHECK(again->keys.to_server.bytes() != answer->keys.to_server.bytes());
}

TEST_CASE("handshake: no byte of a hello or an answer can be changed") {
    const Identity client = identity();
    const Hello hello = make_hello(client, block(11));
    for (std::size_t at = 0; at < hello.bytes.size(); ++at) {
        HelloBytes changed = hello.bytes;
        changed[at] ^= 0x10U;
        const auto shown = read_hello(changed);
        CHECK_FALSE((shown && proves_grant(changed, grant_key(secret(), *shown))));
    }
    const auto answer = answer_hello(hello.bytes, client.key, block(12));
    for (std::size_t at = 0; at < answer->bytes.size(); ++at) {
        AnswerBytes changed = answer->bytes;
        changed[at] ^= 0x10U;
        CHECK_FALSE(take_answer(hello, client.key, changed));
    }
}

TEST_CASE("handshake: another secret, another role, another's hello") {
    const Identity client = identity();
    const Hello hello = make_hello(client, block(11));
    CHECK_FALSE(proves_grant(hello.bytes, grant_key(secret(2), client.grant)));
    // A client that makes itself admin shows a grant whose key it does not have.
    const Identity forged{grant(Role::admin), mesh::Secret(client.key.bytes()), {}};
    const Hello lie = make_hello(forged, block(11));
    CHECK_FALSE(proves_grant(lie.bytes, grant_key(secret(), *read_hello(lie.bytes))));
    // Who does not know the client's key is no node for it.
    const auto impostor = answer_hello(hello.bytes, grant_key(secret(2), client.grant), block(12));
    CHECK_FALSE(take_answer(hello, client.key, impostor->bytes));
    // An answer to another hello of the same client is none to this.
    const auto other = answer_hello(make_hello(client, block(14)).bytes, client.key, block(12));
    CHECK_FALSE(take_answer(hello, client.key, other->bytes));
}

TEST_CASE("handshake: a key of small order is refused") {
    const Identity client = identity();
    Hello hello = make_hello(client, block(11));
    std::fill_n(hello.bytes.begin() + 8, 32, std::uint8_t{0});
    CHECK_FALSE(answer_hello(hello.bytes, client.key, block(12)));
    const AnswerBytes answer{};
    CHECK_FALSE(take_answer(make_hello(client, block(11)), client.key, answer));
}

TEST_CASE("frames: sealed, in order, once") {
    Sealer sealer{mesh::Secret(block(3))};
    const std::string first = sealer.seal(FrameKind::output, "one");
    const std::string second = sealer.seal(FrameKind::exit, std::string(1, '\0'));
    CHECK(first.find("one") == std::string::npos);
    Opener opener{mesh::Secret(block(3))};
    CHECK_FALSE(opener.open(bytes_of(second)));
    const auto opened = opener.open(bytes_of(first));
    REQUIRE(opened);
    CHECK(opened->kind == FrameKind::output);
    CHECK(opened->content == "one");
    CHECK_FALSE(opener.open(bytes_of(first)));
    const auto last = opener.open(bytes_of(second));
    REQUIRE(last);
    CHECK(last->content == std::string(1, '\0'));
    CHECK_FALSE(Opener(mesh::Secret(block(4))).open(bytes_of(first)));
}

TEST_CASE("frames: no byte can be changed, none left out or added") {
    Sealer sealer{mesh::Secret(block(3))};
    const std::string frame = sealer.seal(FrameKind::request, "node");
    for (std::size_t at = 0; at < frame.size(); ++at) {
        std::string changed = frame;
        changed[at] = static_cast<char>(changed[at] ^ 4);
        CHECK_FALSE(Opener(mesh::Secret(block(3))).open(bytes_of(changed)));
        CHECK_FALSE(Opener(mesh::Secret(block(3))).open(bytes_of(frame.substr(0, at))));
    }
    CHECK_FALSE(Opener(mesh::Secret(block(3))).open(bytes_of(frame + "x")));
    CHECK_FALSE(Opener::size_of(bytes_of("\x01")));
    CHECK(Opener::size_of(bytes_of(std::string_view("\0\0", 2))) == 0);
    CHECK(Opener::size_of(bytes_of("\xFF\xFF")) == 0);
    CHECK(sealer.seal(FrameKind::output, std::string(2 * kMostContent, 'x')).size() == kMostFrame);
}

TEST_CASE("request: there and back, and within bounds") {
    const auto content = encode_request({"n1", {"logs", "-n", "5", "dhcp"}});
    REQUIRE(content);
    const auto request = decode_request(*content);
    REQUIRE(request);
    CHECK(request->node == "n1");
    CHECK(request->words == words("logs -n 5 dhcp"));
    CHECK_FALSE(encode_request({"n1", {}}));
    CHECK_FALSE(encode_request({"n1", {"logs", ""}}));
    CHECK_FALSE(encode_request({"n1", {"a\nb"}}));
    CHECK_FALSE(encode_request({"n1", {std::string("a\0b", 3)}}));
    CHECK_FALSE(encode_request({"n1", {std::string(kLongestWords, 'x')}}));
    CHECK_FALSE(encode_request({"n1", std::vector<std::string>(kMostWords + 1, "x")}));
    CHECK(encode_request({"n1", std::vector<std::string>(kMostWords, "x")}));
    CHECK_FALSE(decode_request(""));
    CHECK_FALSE(decode_request("n1"));
    CHECK_FALSE(decode_request(std::string(kLongestWords + 1, 'x')));
    CHECK_FALSE(decode_request(std::string(600, '\0')));
}

TEST_CASE("roles: what may be asked") {
    for (const auto* const harmless : {"status", "status --json a b", "logs -f kubelet", "config show",
                                       "config --json show", "mesh peers", "mesh --json status", "doctor", "version"}) {
        CHECK(allowed(Role::read_only, harmless));
        CHECK(allowed(Role::admin, harmless));
        CHECK_FALSE(allowed(Role::none, harmless));
    }
    for (const auto* const deed : {"start a", "stop a", "restart a", "reload", "enable a", "disable a", "reboot",
                                   "poweroff", "mesh forget n1"}) {
        CHECK_FALSE(allowed(Role::read_only, deed));
        CHECK(allowed(Role::admin, deed));
    }
    for (const auto* const never :
         {"config check /etc/shadow", "config ula /var/lib/thole/node.ini", "lint /", "run-one", "remote-client f",
          "mesh rotate-secret", "-n other status", "--client f status", "config", "mesh", "mesh -x status forget n1",
          "statu", "help"}) {
        CHECK_FALSE(allowed(Role::read_only, never));
        CHECK_FALSE(allowed(Role::admin, never));
    }
    CHECK(check_allowed(Role::read_only, words("reboot")).error().message.find("needs the role admin") !=
          std::string::npos);
    CHECK(lesser(Role::admin, Role::read_only) == Role::read_only);
    CHECK(lesser(Role::none, Role::admin) == Role::none);
}

TEST_CASE("names of nodes come from the mesh's own addresses alone") {
    const Network range = *parse_network("fd00:1::/64");
    const std::string_view hosts =
        "127.0.0.1 localhost\n10.41.0.5 n2\nfd00:2::5 n2\n# fd00:1::9 n2\nfd00:1::7 n2 n2.harbour # n3\nfd00:1::8\n";
    CHECK(address_text(find_node(hosts, "n2", range).value_or(Address{})) == "fd00:1::7");
    CHECK(find_node(hosts, "n2.harbour", range));
    CHECK_FALSE(find_node(hosts, "n3", range));
    CHECK_FALSE(find_node(hosts, "localhost", range));
    CHECK(find_node(hosts, "n22", range).error().message.find("did you mean 'n2'?") != std::string::npos);
}
