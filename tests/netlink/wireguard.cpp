// WireGuard against a running kernel: a thousand peers set, read back, and changed one by one.
#include <algorithm>
#include <cerrno>
#include <map>

#include "base/text.hpp"
#include "check.hpp"
#include "netlink.hpp"
#include "os/clock.hpp"
#include "reconcile.hpp"

namespace thole {

using namespace mesh;

namespace {

constexpr unsigned kPeers = 1000;
const std::string kLink = "wgcheck0";

PublicKey peer_key(unsigned number) {
    const std::array<std::uint8_t, 2> bytes{static_cast<std::uint8_t>(number >> 8U), static_cast<std::uint8_t>(number)};
    return {hash("check", {bytes}).bytes};
}

std::vector<WantedPeer> wanted_peers() {
    const Network ipv4 = parse_network("10.41.0.0/16").value_or(Network());
    const Network ipv6 = parse_network("fd00:41::/64").value_or(Network());
    std::vector<WantedPeer> wanted(kPeers);
    for (unsigned number = 0; number < kPeers; ++number) {
        WantedPeer& peer = wanted[number];
        peer.key = peer_key(number);
        const auto* place = number % 2 == 0 ? "198.51.100.7" : "2001:db8::7";
        peer.endpoint = Endpoint{parse_address(place).value_or(Address()), static_cast<std::uint16_t>(10'000 + number)};
        peer.keepalive = std::chrono::seconds(number % 3 == 0 ? 25 : 0);
        peer.allowed = {{network_address(ipv4, number + 1), 32}, {network_address(ipv6, number + 1), 128}};
    }
    return wanted;
}

/// Applies what differs and says how many messages it took.
unsigned reconcile(WireGuard& wireguard, const std::vector<WantedPeer>& wanted, const std::string& what) {
    const Device before = need(wireguard.read(kLink), "read");
    const auto changes = peer_changes(wanted, before);
    const unsigned messages = wireguard.messages();
    const Instant start = now();
    check(wireguard.apply(kLink, changes), what);
    const unsigned used = wireguard.messages() - messages;
    std::printf("       %zu changes, %u messages, %lld ms\n", changes.size(), used,
                static_cast<long long>((now() - start).count()));
    const Device after = need(wireguard.read(kLink), "read again");
    for (const Difference& left : peer_differences(wanted, after)) {
        fail(what, concat("still differs: ", left.what, " wanted ", left.wanted, " actual ", left.actual));
    }
    return used;
}

void check_thousand(WireGuard& wireguard) {
    auto wanted = wanted_peers();
    const unsigned first = reconcile(wireguard, wanted, "1,000 peers");
    check(first < 30, "in fewer than 30 messages");
    check(reconcile(wireguard, wanted, "the same again") == 0, "sends nothing");
    wanted[500].keepalive = std::chrono::seconds(77);
    check(reconcile(wireguard, wanted, "one peer differs") == 1, "sends one message");
    wanted[500].endpoint->port = 9;
    check(reconcile(wireguard, wanted, "an endpoint that is not moved") == 0, "sends nothing");
    wanted[500].move = true;
    check(reconcile(wireguard, wanted, "an endpoint that is moved") == 1, "sends one message");
    std::swap(wanted[1].allowed, wanted[2].allowed);
    check(reconcile(wireguard, wanted, "two peers exchange their networks") == 1, "sends one message");
    wanted[3].allowed.push_back(wanted[4].allowed.front());
    wanted.erase(wanted.begin() + 4);
    check(reconcile(wireguard, wanted, "one goes, and another takes its address") == 1, "sends one message");
    wanted.clear();
    reconcile(wireguard, wanted, "no peers");
}

/// More networks than one message holds, both ways.
void check_cut(WireGuard& wireguard) {
    std::vector<WantedPeer> wanted(2);
    for (unsigned number = 0; number < 2; ++number) {
        wanted[number].key = peer_key(number);
        for (unsigned place = 0; place < 2000; ++place) {
            wanted[number].allowed.push_back(
                {network_address(parse_network("10.42.0.0/16").value_or(Network()), number * 2000 + place), 32});
        }
    }
    reconcile(wireguard, wanted, "two peers with 2,000 networks each");
}

}  // namespace

bool check_wireguard() {
    auto opened = WireGuard::open();
    if (!opened && opened.error().code == ENOENT) {
        std::printf("       %s\n", opened.error().message.c_str());
        return false;
    }
    auto wireguard = need(std::move(opened), "open");
    auto netlink = need(Netlink::open(), "open rtnetlink");
    check_refused(wireguard.read("nobody0"), "No such device", "a link that is not there");
    check_refused(wireguard.read("lo"), "cannot read the WireGuard link lo", "a link of another kind");
    check(netlink.add_wireguard(kLink), "make the link");
    check(netlink.add_wireguard(kLink), "making it again is no error");
    check(netlink.set_mtu(kLink, 1420), "set its MTU");
    const auto key = PrivateKey::from_random(hash("check", {}).bytes);
    check(wireguard.set_identity(kLink, key, 51'871), "set key and port");
    check(netlink.link_up(kLink), "bring it up");
    const Device device = need(wireguard.read(kLink), "read");
    check(device.key == key.public_key() && device.port == 51'871 && device.peers.empty(), "it is as it was set");
    check_thousand(wireguard);
    check_cut(wireguard);
    check(netlink.delete_link(kLink), "delete the link");
    return true;
}

}  // namespace thole
