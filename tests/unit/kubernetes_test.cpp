// What a node's Kubernetes stands on: join token, pod network, and the way to the servers.
#include <doctest/doctest.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "balancer.hpp"
#include "config/sources.hpp"
#include "datastore.hpp"
#include "join_token.hpp"
#include "pod_network.hpp"
#include "servers.hpp"

using namespace thole;
using namespace thole::kubernetes;

namespace {

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

NodeConfig config_of(std::string_view text) {
    NodeConfig config;
    REQUIRE(add_ini(config, "node.ini", text, false));
    REQUIRE(config.finish());
    return config;
}

mesh::Secret secret_of(std::uint8_t first) {
    mesh::Block bytes{};
    bytes[0] = first;
    return mesh::Secret(bytes);
}

}  // namespace

TEST_CASE("a join token has Kubernetes' form and is the same on all nodes of a secret") {
    const std::string token = join_token(secret_of(1));
    REQUIRE(token.size() == 23);
    CHECK(token[6] == '.');
    CHECK(std::ranges::count_if(token, [](char letter) {
              return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9');
          }) == 22);
    CHECK(token == join_token(secret_of(1)));
    const std::string other = join_token(secret_of(2));
    CHECK(token.substr(0, 6) != other.substr(0, 6));
    CHECK(token.substr(7) != other.substr(7));
}

TEST_CASE("who is in no mesh is joined by nobody") {
    const auto tokens = join_tokens(config_of(""), "/nowhere");
    REQUIRE(tokens);
    CHECK(tokens->empty());
}

TEST_CASE("the token of a mesh that never changed its secret") {
    const auto tokens = join_tokens(
        config_of("[mesh]\ncluster = c\nsecret = AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"), "/nowhere");
    REQUIRE(tokens);
    CHECK(*tokens == join_token(secret_of(1)) + "\n");
}

TEST_CASE("servers know each other by a key of the mesh's secret that is not its token") {
    const auto config = config_of("[mesh]\ncluster = c\nsecret = AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
    const auto keys = server_keys(config, "/nowhere");
    REQUIRE(keys);
    CHECK(keys->size() == 45);
    CHECK(*keys != mesh::base64_text(secret_of(1).bytes()) + "\n");
    CHECK(server_keys(config_of(""), "/nowhere")->empty());
}

TEST_CASE("the data store's address for the API server") {
    CHECK(contains(datastore_environment(config_of("")), "DATASTORE_URL=unix:///run/kine/kine.sock\nDATASTORE_CA=\n"));
    CHECK(contains(datastore_environment(config_of("")), "LEADER_ELECTION=false\n"));
    const std::string etcd = datastore_environment(
        config_of("[node]\nname = a\n[mesh]\ncluster = c\n[kubernetes]\ndatastore = etcd\nservers = a, b, c\n"));
    CHECK(contains(etcd, "DATASTORE_URL=https://127.0.0.1:2379\n"));
    CHECK(contains(etcd, "LEADER_ELECTION=true\nSERVERS=a,b,c\n"));
    CHECK(datastore_environment(config_of("[mesh]\ncluster = c\n[kubernetes]\nrole = agent\n")).empty());
}

TEST_CASE("a pod network's ranges are read back") {
    const std::array<std::string_view, 2> ranges{"10.42.3.0/24", "fd00:42::/64"};
    const std::string text = cni_config(ranges, 0);
    CHECK(ranges_in(text) == std::vector<std::string>{"10.42.3.0/24", "fd00:42::/64"});
    CHECK(contains(text, "\"ipMasq\": true"));
    CHECK_FALSE(contains(text, "mtu"));
    CHECK(ranges_in("").empty());
    CHECK(ranges_in("\"subnet\": \"10.42.3.0/33\"").empty());
}

TEST_CASE("containerd's template leaves masquerading to the node") {
    const std::string text = cni_template(1380);
    CHECK(contains(text, "\"mtu\": 1380,"));
    CHECK(contains(text, "{{range $at, $range := .PodCIDRRanges}}"));
    CHECK_FALSE(contains(text, "ipMasq"));
    CHECK(ranges_in(text).empty());
}

TEST_CASE("pods hide behind the node only for the world outside") {
    const std::string rules = masquerade_rules(config_of(""));
    CHECK(contains(rules, "ip saddr { 10.42.0.0/16 } ip daddr != { 10.42.0.0/16, 10.41.0.0/16 } masquerade"));
    CHECK_FALSE(contains(rules, "ip6"));
}

TEST_CASE("servers are those that say so, or those that node.ini names") {
    constexpr std::string_view kNodes =
        "a 10.41.0.1 fd00::1 kubernetes-server,storage 10.42.0.0/24\n"
        "b 10.41.0.2 fd00::2 - -\n"
        "c - fd00::3 kubernetes-server -\n"
        "short line\n";
    const auto all = server_addresses(kNodes, {});
    REQUIRE(all.size() == 2);
    CHECK(address_text(all[0]) == "10.41.0.1");
    CHECK(address_text(all[1]) == "fd00::3");
    const auto named = server_addresses(kNodes, {"b", "10.41.0.1"});
    REQUIRE(named.size() == 2);
    CHECK(address_text(named[1]) == "10.41.0.2");
    CHECK(server_addresses(kNodes, {"d"}).empty());
}

namespace {

sockaddr_in loopback(std::uint16_t port, std::uint32_t host) {
    sockaddr_in place{};
    place.sin_family = AF_INET;
    place.sin_port = htons(port);
    place.sin_addr.s_addr = htonl(host);
    return place;
}

Fd listener_on(std::uint32_t host, std::uint16_t& port) {
    Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_in place = loopback(port, host);
    socklen_t size = sizeof place;
    auto* const address = reinterpret_cast<sockaddr*>(&place);
    REQUIRE(::bind(socket.get(), address, size) == 0);
    REQUIRE(::listen(socket.get(), 8) == 0);
    REQUIRE(::getsockname(socket.get(), address, &size) == 0);
    port = ntohs(place.sin_port);
    return socket;
}

Fd connection_to(std::uint16_t port) {
    Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in place = loopback(port, INADDR_LOOPBACK);
    REQUIRE(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&place), sizeof place) == 0);
    return socket;
}

/// Lets the balancer work until that holds; a test that hangs is ended by its runner.
template <typename Condition>
void run_until(EventLoop& loop, Balancer& balancer, Condition condition) {
    while (!condition()) {
        loop.wait(now() + std::chrono::milliseconds(20));
        balancer.tick(now());
    }
}

bool readable(const Fd& socket) {
    char letter = 0;
    return ::recv(socket.get(), &letter, 1, MSG_PEEK | MSG_DONTWAIT) >= 0;
}

std::string received(const Fd& socket) {
    std::array<char, 64> room{};
    const ssize_t count = ::recv(socket.get(), room.data(), room.size(), 0);
    return {room.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
}

constexpr std::uint32_t kSecondHost = INADDR_LOOPBACK + 1;

Address ipv4(std::uint8_t last) {
    Address address;
    address.bytes = {127, 0, 0, last};
    return address;
}

}  // namespace

TEST_CASE("a connection goes to the server that answers, and bytes both ways until both have said all") {
    auto loop = EventLoop::make();
    REQUIRE(loop);
    std::uint16_t port = 0;
    const Fd server = listener_on(kSecondHost, port);
    auto balancer = Balancer::make(*loop, 0, port);
    REQUIRE(balancer);
    (*balancer)->set_servers({ipv4(1), ipv4(2)});  // the first one has nobody on that port

    const Fd client = connection_to((*balancer)->port());
    REQUIRE(::send(client.get(), "question", 8, 0) == 8);
    ::shutdown(client.get(), SHUT_WR);
    Fd inside;
    run_until(*loop, **balancer, [&] {
        inside = Fd(::accept4(server.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        return static_cast<bool>(inside);
    });
    REQUIRE(inside);
    run_until(*loop, **balancer, [&] { return readable(inside); });
    CHECK(received(inside) == "question");
    run_until(*loop, **balancer, [&] { return readable(inside); });
    CHECK(received(inside).empty());  // its end came through
    REQUIRE(::send(inside.get(), "answer", 6, 0) == 6);
    inside.reset();
    run_until(*loop, **balancer, [&] { return (*balancer)->connections() == 0; });
    CHECK(received(client) == "answer");
    CHECK(received(client).empty());
}

TEST_CASE("where no server answers the client hears it at once") {
    auto loop = EventLoop::make();
    REQUIRE(loop);
    std::uint16_t port = 0;
    {
        const Fd gone = listener_on(INADDR_LOOPBACK, port);
    }
    auto balancer = Balancer::make(*loop, 0, port);
    REQUIRE(balancer);
    for (const bool some : {false, true}) {
        (*balancer)->set_servers(some ? std::vector<Address>{ipv4(1), ipv4(2)} : std::vector<Address>{});
        const Fd client = connection_to((*balancer)->port());
        run_until(*loop, **balancer, [&] { return readable(client); });
        CHECK(received(client).empty());
    }
}
