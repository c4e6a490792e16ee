// What surrounds the mesh in its daemon, as far as it makes no system call or only touches files.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cstdlib>

#include "base/text.hpp"
#include "config/sources.hpp"
#include "mesh_scene.hpp"
#include "metrics.hpp"
#include "node_files.hpp"
#include "os/file.hpp"
#include "peer_book.hpp"
#include "resolver.hpp"
#include "saved_members.hpp"
#include "secret_store.hpp"
#include "settings.hpp"

using namespace thole;
using namespace thole::mesh;

namespace {

constexpr Instant kStart{1'000'000'000};
constexpr std::uint64_t kSeconds = 1'767'225'600;
constexpr std::string_view kSecret = "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// A folder that ends with the test.
class Folder {
   public:
    Folder() {
        std::string pattern = "/tmp/thole-test-XXXXXX";
        path_ = ::mkdtemp(pattern.data());
    }
    ~Folder() { CHECK(std::system(concat("rm -r ", path_).c_str()) == 0); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }

   private:
    std::string path_;
};

Result<DaemonSettings> settings_of(std::string_view text) {
    NodeConfig config;
    auto added = add_ini(config, "node.ini", text, false);
    if (added) {
        added = config.finish();
    }
    return added ? read_settings(config, "node1") : std::unexpected(added.error());
}

/// A mesh that hears of two others and does nothing.
struct Quiet : World {
    void send_outside(const Endpoint& /*to*/, Bytes /*datagram*/) override {}
    void send_inside(const PublicKey& /*to*/, Bytes /*message*/) override {}
    void on_peer_changed(const PublicKey& /*key*/) override {}
    void on_addresses_changed() override {}
    void try_endpoint(const PublicKey& /*key*/, const Endpoint& /*endpoint*/) override {}
    void save(const NodeState& /*state*/) override {}
    void on_secret(const ClusterSecret& /*secret*/, const SecretVersion& /*version*/) override {}
    void fill_random(std::span<std::uint8_t> bytes) override { std::ranges::fill(bytes, std::uint8_t{7}); }
    std::uint64_t seconds_since_1970() override { return kSeconds; }

    Quiet() {
        Settings settings;
        settings.key = public_key(1);
        settings.ranges = test_ranges();
        settings.name = "node-1";
        settings.roles = "worker";
        mesh = std::make_unique<Mesh>(std::move(settings), cluster_secret(), *this, kStart);
        for (const std::uint32_t number : {2U, 3U}) {
            mesh->restore(encoded(record_of(number)).content(), seconds(60), kStart);
        }
    }

    std::unique_ptr<Mesh> mesh;
};

}  // namespace

TEST_CASE("places: names and addresses, with a port or without") {
    const auto text = [](std::string_view written) {
        const NamedPlace place = split_place(written, 9);
        return concat(place.host, " ", place.port);
    };
    CHECK(text("node2") == "node2 9");
    CHECK(text("node2.example:7") == "node2.example 7");
    CHECK(text("192.0.2.1") == "192.0.2.1 9");
    CHECK(text("192.0.2.1:7") == "192.0.2.1 7");
    CHECK(text("2001:db8::1") == "2001:db8::1 9");
    CHECK(text("[2001:db8::1]") == "2001:db8::1 9");
    CHECK(text("[2001:db8::1]:7") == "2001:db8::1 7");
}

TEST_CASE("settings: what node.ini says") {
    const auto settings = settings_of(concat("[node]\nroles = worker, gpu\n[mesh]\ncluster = c\nsecret = ", kSecret,
                                             "\nport = 1000\nseeds = a.example, [2001:db8::1]:7\naddress = "
                                             "10.41.0.9\nendpoints = 198.51.100.1\n"));
    REQUIRE(settings);
    CHECK(settings->roles == "worker gpu");
    CHECK(settings->greeting_port() == 1001);
    CHECK(settings->message_port() == 1002);
    CHECK(settings->seeds[0].port == 1001);
    CHECK(settings->seeds[1].port == 7);
    CHECK(settings->endpoints[0].port == 1000);
    CHECK(settings->fixed_ipv4 == *parse_address("10.41.0.9"));
    CHECK(network_text(settings->ranges.ipv6) == network_text(ula_range(cluster_secret())));
    CHECK(settings->discovery);
}

TEST_CASE("settings: what a mesh cannot be") {
    const std::string head = concat("[mesh]\ncluster = c\nsecret = ", kSecret, "\n");
    const auto error = [&](std::string_view more) {
        const auto settings = settings_of(concat(head, more));
        return settings ? std::string() : settings.error().message;
    };
    CHECK(error("").empty());
    CHECK(error("range = 10.42.0.0/24\n").find("overlaps kubernetes.pod-range") != std::string::npos);
    CHECK(error("range = 10.43.9.0/24\n").find("overlaps kubernetes.service-range") != std::string::npos);
    CHECK(error("range = 192.168.0.0/16\n[network]\naddress = 192.168.1.2/24\n").find("overlaps network.address") !=
          std::string::npos);
    CHECK(error("range = fd00::/64\n").find("no IPv6 range can be here") != std::string::npos);
    CHECK(error("ula = 10.0.0.0/8\n").find("no IPv4 range can be here") != std::string::npos);
    for (const std::string_view address : {"10.41.0.0", "10.41.0.1", "10.41.255.255", "10.40.0.9"}) {
        CHECK(error(concat("address = ", address, "\n")).find("is not an address for a node") != std::string::npos);
    }
    const auto no_secret = settings_of("[mesh]\ncluster = c\n");
    REQUIRE_FALSE(no_secret);
    CHECK(no_secret.error().message.find("there is no mesh.secret") != std::string::npos);
    for (const std::string_view secret :
         {"abc", "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=", "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
          "not a secret at all, but 44 letters of text ="}) {
        const auto bad = settings_of(concat("[mesh]\ncluster = c\nsecret = ", secret, "\n"));
        REQUIRE_FALSE(bad);
        CHECK(bad.error().message.find("32 bytes in base64") != std::string::npos);
        CHECK(bad.error().message.find(secret) == std::string::npos);
    }
}

TEST_CASE("saved members: what was known is known again, but not the node itself") {
    const Quiet quiet;
    const std::string text = members_text(quiet.mesh->members(), public_key(1), kStart + seconds(40), kSeconds);
    const auto saved = parse_members(text, kSeconds + 100);
    REQUIRE(saved.size() == 2);
    for (const SavedMember& one : saved) {
        CHECK(one.age == seconds(200));
        CHECK(read_record(one.record));
    }
    CHECK(parse_members(text, kSeconds - 1'000'000)[0].age == seconds(0));
    CHECK(parse_members(text, kSeconds * 2)[0].age == kBurial);
    for (std::size_t length = 0; length < text.size(); ++length) {
        CHECK(parse_members(std::string_view(text).substr(0, length), kSeconds).size() < 2);
    }
    CHECK(parse_members("something else", kSeconds).empty());
}

TEST_CASE("secrets: a changed one is kept, until a person writes another into node.ini") {
    const Folder folder;
    const ClusterSecret first = cluster_secret(1);
    CHECK(choose_secret(folder.path(), first).version == SecretVersion());
    const StoredSecret second{
        .secret = cluster_secret(2), .version = {3, 99}, .previous = cluster_secret(1), .previous_until = kSeconds};
    REQUIRE(store_secret(folder.path(), second, first));
    struct stat status{};
    REQUIRE(::stat(concat(folder.path(), "/secret").c_str(), &status) == 0);
    CHECK((status.st_mode & 0777U) == 0600);
    for (const ClusterSecret& of_node_ini : std::array{cluster_secret(1), cluster_secret(2)}) {
        const StoredSecret chosen = choose_secret(folder.path(), of_node_ini);
        CHECK(chosen.secret.bytes() == second.secret.bytes());
        CHECK(chosen.version == second.version);
        REQUIRE(chosen.previous);
        CHECK(chosen.previous->bytes() == first.bytes());
        CHECK(chosen.previous_until == kSeconds);
    }
    const StoredSecret other = choose_secret(folder.path(), cluster_secret(5));
    CHECK(other.secret.bytes() == cluster_secret(5).bytes());
    CHECK(other.version == SecretVersion());
    REQUIRE(replace_file(concat(folder.path(), "/secret"), "secret no\nbase no\n", 0600));
    CHECK(choose_secret(folder.path(), first).secret.bytes() == first.bytes());
}

TEST_CASE("peers: whose address it is, and a handshake whose time does not wander with the clock") {
    const Quiet quiet;
    PeerBook book;
    book.update(*quiet.mesh);
    const Address address = mesh_ipv6(test_ranges().ipv6, public_key(2));
    REQUIRE(book.owner(address) != nullptr);
    CHECK(*book.owner(address) == public_key(2));
    CHECK(book.owner(mesh_ipv6(test_ranges().ipv6, public_key(9))) == nullptr);
    DevicePeer peer;
    peer.key = public_key(2);
    CHECK_FALSE(book.status(peer, address, kStart, kSeconds).handshake);
    peer.handshake_seconds = kSeconds - 10;
    const auto first = book.status(peer, address, kStart, kSeconds).handshake;
    CHECK(first == kStart + -seconds(10));
    CHECK(book.status(peer, address, kStart + seconds(5), kSeconds + 5000).handshake == first);
    book.update(*quiet.mesh);
    CHECK(book.status(peer, address, kStart + seconds(6), kSeconds).handshake == first);
    peer.handshake_seconds = kSeconds + 3600;  // the clock was set back since
    CHECK(book.status(peer, address, kStart + seconds(7), kSeconds).handshake == kStart + seconds(7));
}

TEST_CASE("resolver: lines of its process, and whatever else comes") {
    const std::vector<NamedPlace> places{{"a", 1}, {"b", 2}};
    const auto found = parse_resolved("1 2001:db8::1\n0 192.0.2.1\n0 192.0.2.2\n", places);
    REQUIRE(found.size() == 2);
    CHECK(found[0].size() == 2);
    CHECK(found[1][0] == Endpoint{*parse_address("2001:db8::1"), 2});
    for (const std::string_view text : {"", "\n\n", "2 192.0.2.1\n", "-1 192.0.2.1\n", "0\n", "0 x\n", "0 1 2\n"}) {
        CHECK(parse_resolved(text, places) == std::vector<std::vector<Endpoint>>(2));
    }
    CHECK(parse_resolved("0 192.0.2.1\n", {}).empty());
}

TEST_CASE("names: the mesh has its part of the hosts file, and leaves the rest alone") {
    const std::string own = "127.0.0.1 localhost\n192.0.2.1 node1\n";
    const std::string both = with_mesh_names(own, "10.41.0.2 node2\n");
    CHECK(both.starts_with(own));
    CHECK(mesh_names_in(both) == "10.41.0.2 node2\n");
    CHECK(with_mesh_names(both, "10.41.0.3 node3\n") == with_mesh_names(own, "10.41.0.3 node3\n"));
    CHECK(with_mesh_names(both, "") == own);
    CHECK(mesh_names_in(own).empty());
    const Folder folder;
    const NodeFiles files{.root = folder.path(), .in_container = false};
    REQUIRE(make_directories(folder.path() + "/etc"));
    REQUIRE(make_directories(folder.path() + "/run/thole"));
    REQUIRE(write_mesh_names(files, "10.41.0.2 node2\n"));
    REQUIRE(write_address(files, "node1", *parse_address("192.0.2.1")));
    const auto text = read_file(files.hosts());
    REQUIRE(text);
    CHECK(text->find("192.0.2.1") != std::string::npos);
    CHECK(mesh_names_in(*text) == "10.41.0.2 node2\n");
}

TEST_CASE("metrics: each with its help and type") {
    const Quiet quiet;
    const std::string text = metrics_text(*quiet.mesh, 5);
    CHECK(text.find("# TYPE thole_mesh_peers gauge\nthole_mesh_peers 2\n") != std::string::npos);
    CHECK(text.find("\nthole_mesh_link_errors_total 5\n") != std::string::npos);
    std::size_t values = 0;
    for (const auto line : split(text, '\n')) {
        values += !line.empty() && !line.starts_with("#") ? 1 : 0;
    }
    CHECK(values == 14);
}
