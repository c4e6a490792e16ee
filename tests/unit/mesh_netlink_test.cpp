// Answers of the kernel read from prepared bytes, and what is asked of WireGuard.
#include <doctest/doctest.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include <cerrno>

#include "device_messages.hpp"
#include "mesh_scene.hpp"
#include "netlink_parse.hpp"
#include "netlink_scene.hpp"
#include "netlink_socket.hpp"

using namespace thole;
using namespace thole::mesh;

namespace {

struct Taken {
    std::vector<std::uint16_t> types;
    Status answer;
    OnMessage take = [this](const nlmsghdr& message) {
        types.push_back(message.nlmsg_type);
        return answer;
    };
    NetlinkAnswer reader{Datagram::kSequence, Datagram::kPort, take};
};

const nlmsghdr& only_message(const Datagram& datagram) {
    return *reinterpret_cast<const nlmsghdr*>(datagram.content().data());
}

std::vector<std::string> texts(const std::vector<Network>& networks) {
    std::vector<std::string> list;
    for (const Network& network : networks) {
        list.push_back(network_text(network));
    }
    return list;
}

/// What the kernel would make of SET_DEVICE messages: the same parser reads both ways.
struct Applied {
    std::vector<DevicePeer> peers;
    std::vector<std::size_t> sizes;
};

Applied apply_all(std::span<const PeerChange> changes, std::size_t limit) {
    const std::string link = "wg0";
    PeerMessages messages(0x20, link, changes, limit);
    DeviceReader reader;
    Applied applied;
    while (nlmsghdr* message = messages.next()) {
        applied.sizes.push_back(message->nlmsg_len);
        auto* head = static_cast<genlmsghdr*>(mnl_nlmsg_get_payload(message));
        CHECK(head->cmd == WG_CMD_SET_DEVICE);
        head->cmd = WG_CMD_GET_DEVICE;
        REQUIRE(reader.take(*message));
        REQUIRE(applied.sizes.size() < 10'000);
    }
    applied.peers = reader.device().peers;
    return applied;
}

}  // namespace

TEST_CASE("an answer: messages, then its end; those of other requests are left out") {
    Taken taken;
    Datagram datagram;
    datagram.begin(RTM_NEWLINK, NLM_F_MULTI);
    datagram.end();
    datagram.begin(RTM_NEWADDR, NLM_F_MULTI)->nlmsg_seq = 6;
    datagram.end();
    datagram.begin(RTM_NEWADDR, NLM_F_MULTI)->nlmsg_pid = 1;
    datagram.end();
    taken.reader.take(datagram.content());
    CHECK(taken.types == std::vector<std::uint16_t>{RTM_NEWLINK});
    CHECK_FALSE(taken.reader.complete());
    Datagram last;
    last.finish(NLMSG_DONE, 0);
    taken.reader.take(last.content());
    CHECK(taken.reader.complete());
    CHECK(taken.reader.code() == 0);
    CHECK(taken.reader.status());
}

TEST_CASE("an error has the kernel's words, at the end of a list as well") {
    for (const std::uint16_t type : {std::uint16_t{NLMSG_ERROR}, std::uint16_t{NLMSG_DONE}}) {
        Taken taken;
        Datagram datagram;
        datagram.finish(type, EINVAL, "Unknown device type");
        taken.reader.take(datagram.content());
        CHECK(taken.reader.complete());
        CHECK(taken.reader.code() == EINVAL);
        CHECK(taken.reader.words() == "Unknown device type");
    }
}

TEST_CASE("the words stand behind the whole request where the kernel repeats it") {
    Taken taken;
    Datagram datagram;
    datagram.begin(NLMSG_ERROR, NLM_F_ACK_TLVS);
    auto* message = const_cast<nlmsghdr*>(&only_message(datagram));
    auto* error = datagram.extra<nlmsgerr>();
    error->error = -EPERM;
    error->msg.nlmsg_len = sizeof(nlmsghdr) + 8;
    datagram.extra<std::uint64_t>();
    mnl_attr_put_strz(message, NLMSGERR_ATTR_MSG, "no");
    datagram.end();
    taken.reader.take(datagram.content());
    CHECK(taken.reader.code() == EPERM);
    CHECK(taken.reader.words() == "no");
}

TEST_CASE("an answer that is cut, overrun or interrupted ends with an error") {
    SUBCASE("cut") {
        Taken taken;
        Datagram datagram;
        datagram.begin(RTM_NEWLINK);
        datagram.extra<ifinfomsg>();
        datagram.end();
        datagram.bytes().resize(20);
        taken.reader.take(datagram.content());
        CHECK_FALSE(taken.reader.status());
        CHECK_FALSE(taken.reader.complete());
    }
    SUBCASE("a length that is negative to those who count with sign") {
        Taken taken;
        Datagram datagram;
        datagram.begin(RTM_NEWLINK);
        datagram.end();
        std::ranges::fill_n(datagram.bytes().begin(), 4, '\xFF');
        taken.reader.take(datagram.content());
        CHECK_FALSE(taken.reader.status());
    }
    SUBCASE("an error without a number") {
        Taken taken;
        Datagram datagram;
        datagram.begin(NLMSG_ERROR);
        datagram.end();
        taken.reader.take(datagram.content());
        CHECK(taken.reader.complete());
        CHECK(taken.reader.code() == EBADMSG);
    }
    SUBCASE("overrun") {
        Taken taken;
        Datagram datagram;
        datagram.begin(NLMSG_OVERRUN);
        datagram.end();
        taken.reader.take(datagram.content());
        CHECK(taken.reader.code() == ENOBUFS);
    }
    SUBCASE("interrupted") {
        Taken taken;
        Datagram datagram;
        datagram.begin(RTM_NEWLINK, NLM_F_MULTI | NLM_F_DUMP_INTR);
        datagram.end();
        datagram.finish(NLMSG_DONE, 0);
        taken.reader.take(datagram.content());
        CHECK(taken.reader.interrupted());
    }
    SUBCASE("what was read is wrong: the rest is left out, to the end") {
        Taken taken;
        taken.answer = failure("no");
        Datagram datagram;
        for (int count = 0; count < 3; ++count) {
            datagram.begin(RTM_NEWLINK, NLM_F_MULTI);
            datagram.end();
        }
        datagram.finish(NLMSG_DONE, 0);
        taken.reader.take(datagram.content());
        CHECK(taken.types.size() == 1);
        CHECK(taken.reader.complete());
        CHECK_FALSE(taken.reader.status());
    }
}

TEST_CASE("a device: peers that go on in the next message are one") {
    DeviceReader reader;
    Datagram first;
    nlmsghdr* message = begin_device(first);
    mnl_attr_put_u32(message, WGDEVICE_A_IFINDEX, 5);
    mnl_attr_put_u16(message, WGDEVICE_A_LISTEN_PORT, 51871);
    const Block key = public_key(9).bytes;
    mnl_attr_put(message, WGDEVICE_A_PUBLIC_KEY, key.size(), key.data());
    nlattr* peers = mnl_attr_nest_start(message, WGDEVICE_A_PEERS);
    put_peer(message, public_key(1).bytes, {"10.41.0.1/32"});
    put_peer(message, public_key(2).bytes, {"10.41.0.2/32", "fd00::2/128"});
    mnl_attr_nest_end(message, peers);
    first.end();
    REQUIRE(reader.take(only_message(first)));
    Datagram second;
    message = begin_device(second);
    peers = mnl_attr_nest_start(message, WGDEVICE_A_PEERS);
    put_peer(message, public_key(2).bytes, {"10.42.2.0/24"});
    put_peer(message, public_key(3).bytes, {});
    mnl_attr_nest_end(message, peers);
    second.end();
    REQUIRE(reader.take(only_message(second)));
    const Device& device = reader.device();
    CHECK(device.index == 5);
    CHECK(device.port == 51871);
    CHECK(device.key == public_key(9));
    REQUIRE(device.peers.size() == 3);
    CHECK(texts(device.peers[1].allowed) == std::vector<std::string>{"10.41.0.2/32", "fd00::2/128", "10.42.2.0/24"});
    CHECK_FALSE(device.peers[0].handshake_seconds);
    CHECK_FALSE(device.peers[0].endpoint);
}

TEST_CASE("a device with parts that are not whole is an error") {
    SUBCASE("a peer without a key") {
        Datagram datagram;
        nlmsghdr* message = begin_device(datagram);
        nlattr* peers = mnl_attr_nest_start(message, WGDEVICE_A_PEERS);
        nlattr* peer = mnl_attr_nest_start(message, 0);
        mnl_attr_put(message, WGPEER_A_PUBLIC_KEY, 31, public_key(1).bytes.data());
        mnl_attr_nest_end(message, peer);
        mnl_attr_nest_end(message, peers);
        datagram.end();
        CHECK_FALSE(DeviceReader().take(only_message(datagram)));
    }
    SUBCASE("a network with a prefix that its family does not have") {
        Datagram datagram;
        nlmsghdr* message = begin_device(datagram);
        nlattr* peers = mnl_attr_nest_start(message, WGDEVICE_A_PEERS);
        put_peer(message, public_key(1).bytes, {"10.41.0.1/32"});
        mnl_attr_nest_end(message, peers);
        datagram.end();
        // The last attribute is the prefix's.
        datagram.bytes()[datagram.bytes().size() - 4] = 33;
        CHECK_FALSE(DeviceReader().take(only_message(datagram)));
    }
    SUBCASE("an attribute longer than its message") {
        Datagram datagram;
        nlmsghdr* message = begin_device(datagram);
        mnl_attr_put_u32(message, WGDEVICE_A_IFINDEX, 5);
        datagram.end();
        datagram.bytes()[sizeof(nlmsghdr) + sizeof(genlmsghdr)] = 100;
        CHECK_FALSE(DeviceReader().take(only_message(datagram)));
    }
}

TEST_CASE("a thousand peers go into few messages, and all of each arrives") {
    std::vector<PeerChange> changes(1000);
    for (std::uint32_t number = 0; number < changes.size(); ++number) {
        PeerChange& change = changes[number];
        change.key = public_key(number);
        change.endpoint = number % 2 == 0 ? endpoint("203.0.113.7", 51871) : endpoint("2001:db8::7", 51871);
        change.keepalive = std::chrono::seconds(25);
        change.allowed = {network_base({mesh_ipv4(test_ranges().ipv4, change.key, 0), 32}),
                          network_base({mesh_ipv6(test_ranges().ipv6, change.key), 128})};
    }
    const Applied applied = apply_all(changes, PeerMessages::kSize);
    REQUIRE(applied.peers.size() == changes.size());
    CHECK(applied.sizes.size() <= 24);
    for (std::size_t number = 0; number < changes.size(); ++number) {
        CHECK(applied.peers[number].key == changes[number].key);
        CHECK(applied.peers[number].endpoint == changes[number].endpoint);
        CHECK(applied.peers[number].keepalive == std::chrono::seconds(25));
        CHECK(texts(applied.peers[number].allowed) == texts(*changes[number].allowed));
    }
    MESSAGE("1,000 peers: ", applied.sizes.size(), " messages");
}

TEST_CASE("a peer is cut inside its networks, at every place where a message can be full") {
    std::vector<PeerChange> changes(3);
    for (std::uint32_t number = 0; number < 3; ++number) {
        changes[number].key = public_key(number);
        changes[number].allowed.emplace();
        for (unsigned place = 0; place < 40; ++place) {
            changes[number].allowed->push_back(
                {network_address(*parse_network("10.42.0.0/16"), number * 256 + place), 32});
        }
    }
    for (std::size_t limit = 160; limit < 1600; ++limit) {
        const Applied applied = apply_all(changes, limit);
        REQUIRE(applied.peers.size() == 3);
        for (std::size_t number = 0; number < 3; ++number) {
            REQUIRE(texts(applied.peers[number].allowed) == texts(*changes[number].allowed));
        }
        for (const std::size_t size : applied.sizes) {
            REQUIRE(size <= limit);
        }
    }
    CHECK(apply_all(changes, 64).sizes.empty());  // nothing fits: it ends all the same
}

TEST_CASE("a family's number") {
    Datagram datagram;
    nlmsghdr* message = datagram.begin(GENL_ID_CTRL);
    datagram.extra<genlmsghdr>()->cmd = CTRL_CMD_NEWFAMILY;
    mnl_attr_put_strz(message, CTRL_ATTR_FAMILY_NAME, "wireguard");
    mnl_attr_put_u16(message, CTRL_ATTR_FAMILY_ID, 33);
    datagram.end();
    CHECK(parse_family(only_message(datagram)) == 33);
    datagram.bytes().resize(sizeof(nlmsghdr) + sizeof(genlmsghdr));
    const_cast<nlmsghdr&>(only_message(datagram)).nlmsg_len = sizeof(nlmsghdr) + sizeof(genlmsghdr);
    CHECK_FALSE(parse_family(only_message(datagram)));
}

TEST_CASE("links, addresses and routes") {
    SUBCASE("a link") {
        Datagram datagram;
        nlmsghdr* message = datagram.begin(RTM_NEWLINK);
        auto* head = datagram.extra<ifinfomsg>();
        head->ifi_index = 3;
        head->ifi_flags = 1;
        mnl_attr_put_strz(message, IFLA_IFNAME, "wg0");
        mnl_attr_put_u32(message, IFLA_MTU, 1420);
        nlattr* information = mnl_attr_nest_start(message, IFLA_LINKINFO);
        mnl_attr_put_strz(message, IFLA_INFO_KIND, "wireguard");
        mnl_attr_nest_end(message, information);
        datagram.end();
        const auto link = parse_link(only_message(datagram));
        REQUIRE((link && *link));
        CHECK((*link)->index == 3);
        CHECK((*link)->name == "wg0");
        CHECK((*link)->kind == "wireguard");
        CHECK((*link)->mtu == 1420);
        CHECK((*link)->up);
    }
    SUBCASE("an address that is tentative by its long flags") {
        Datagram datagram;
        nlmsghdr* message = datagram.begin(RTM_NEWADDR);
        auto* head = datagram.extra<ifaddrmsg>();
        head->ifa_family = AF_INET6;
        head->ifa_prefixlen = 64;
        head->ifa_index = 2;
        const Address address = parse_address("2001:db8::1").value();
        mnl_attr_put(message, IFA_ADDRESS, 16, address.bytes.data());
        mnl_attr_put_u32(message, IFA_FLAGS, IFA_F_TENTATIVE);
        datagram.end();
        const auto read = parse_interface_address(only_message(datagram));
        REQUIRE((read && *read));
        CHECK(network_text((*read)->network) == "2001:db8::1/64");
        CHECK((*read)->is_global);
        CHECK_FALSE((*read)->is_usable);
    }
    SUBCASE("a route, of the main table alone") {
        for (const std::uint32_t table : {std::uint32_t{RT_TABLE_MAIN}, std::uint32_t{RT_TABLE_LOCAL}, 1000U}) {
            Datagram datagram;
            nlmsghdr* message = datagram.begin(RTM_NEWROUTE);
            auto* head = datagram.extra<rtmsg>();
            head->rtm_family = AF_INET;
            head->rtm_dst_len = 24;
            head->rtm_protocol = 210;
            head->rtm_table = table < 256 ? static_cast<std::uint8_t>(table) : std::uint8_t{RT_TABLE_UNSPEC};
            head->rtm_type = RTN_UNICAST;
            const Address address = parse_address("10.42.7.0").value();
            mnl_attr_put(message, RTA_DST, 4, address.bytes.data());
            mnl_attr_put_u32(message, RTA_OIF, 9);
            mnl_attr_put_u32(message, RTA_TABLE, table);
            datagram.end();
            const auto route = parse_route(only_message(datagram));
            REQUIRE(route);
            REQUIRE(route->has_value() == (table == RT_TABLE_MAIN));
            if (*route) {
                CHECK(network_text((*route)->destination) == "10.42.7.0/24");
                CHECK((*route)->interface == 9);
                CHECK((*route)->protocol == 210);
            }
        }
    }
    SUBCASE("what is too short for its head, or has a prefix that cannot be, is nothing") {
        Datagram datagram;
        datagram.begin(RTM_NEWADDR);
        datagram.end();
        CHECK_FALSE(parse_interface_address(only_message(datagram)).value());
        Datagram wide;
        wide.begin(RTM_NEWADDR);
        auto* head = wide.extra<ifaddrmsg>();
        head->ifa_family = AF_INET;
        head->ifa_prefixlen = 33;
        wide.end();
        CHECK_FALSE(parse_interface_address(only_message(wide)).value());
    }
}

TEST_CASE("changes: which kind, and all where a datagram is not whole") {
    NetworkEvents::Changes changes;
    Datagram datagram;
    datagram.begin(RTM_NEWADDR);
    datagram.end();
    note_changes(datagram.content(), changes);
    CHECK(changes.addresses);
    CHECK_FALSE(changes.links);
    note_changes(datagram.content().first(8), changes);
    CHECK(changes.links);
}
