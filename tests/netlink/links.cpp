// Links, addresses, routes and the subscription, against a running kernel.
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>

#include "base/text.hpp"
#include "check.hpp"
#include "netlink.hpp"
#include "os/fd.hpp"

namespace thole {

namespace {

constexpr std::uint8_t kProtocol = 210;
const std::string kLink = "check0";

Network network(std::string_view text) { return parse_network(text).value_or(Network()); }
Address address(std::string_view text) { return parse_address(text).value_or(Address()); }

bool has_address(Netlink& netlink, const Network& wanted) {
    for (const auto& found : need(netlink.addresses_of(kLink), "list addresses")) {
        if (network_text(found.network) == network_text(wanted)) {
            return true;
        }
    }
    return false;
}

/// A dummy, or on a kernel without them a tap that nobody listens to. Returns its kind.
std::string make_link(Netlink& netlink, Fd& tap) {
    const auto made = netlink.add_dummy(kLink);
    if (made || made.error().code != EOPNOTSUPP) {
        check(made, "make a link");
        check(netlink.add_dummy(kLink), "making it again is no error");
        return "dummy";
    }
    check_refused(made, "(the kernel: Unknown device type)", "this kernel has no dummies");
    tap = Fd(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
    ifreq request{};
    request.ifr_flags = IFF_TAP | IFF_NO_PI;
    kLink.copy(static_cast<char*>(request.ifr_name), IFNAMSIZ - 1);
    check(tap && ::ioctl(tap.get(), TUNSETIFF, &request) == 0, "make a tap");
    return "tun";
}

void check_addresses(Netlink& netlink) {
    for (const auto* text : {"10.41.3.4/16", "fd00:41::4/64"}) {
        const Network wanted = network(text);
        check(netlink.add_address(kLink, wanted), concat("give the address ", text));
        check(netlink.add_address(kLink, wanted), "giving it again is no error");
        check(has_address(netlink, wanted), "it is there");
        check(netlink.delete_address(kLink, wanted), "take it away");
        check(!has_address(netlink, wanted), "it is gone");
        check(netlink.delete_address(kLink, wanted), "taking it away again is no error");
        check(netlink.add_address(kLink, wanted), "give it again");
    }
}

void check_routes(Netlink& netlink) {
    check(netlink.add_route(network("10.42.7.0/24"), kLink, std::nullopt, kProtocol), "a route out of the link");
    check(netlink.add_route(network("10.42.8.0/24"), kLink, address("10.41.0.9"), kProtocol), "a route by a gateway");
    check(netlink.add_route(network("fd00:42::/64"), kLink, std::nullopt, kProtocol), "an IPv6 route");
    check(netlink.add_route(network("10.99.0.0/16"), kLink, std::nullopt), "somebody else's route");
    const auto routes = need(netlink.routes(kLink, kProtocol), "list routes");
    check(routes.size() == 3, "three routes of that protocol");
    for (const Route& route : routes) {
        check(netlink.delete_route(route), concat("delete the route to ", network_text(route.destination)));
        check(netlink.delete_route(route), "deleting it again is no error");
    }
    check(need(netlink.routes(kLink, kProtocol), "list routes").empty(), "they are gone");
    check(need(netlink.routes(kLink, kStaticProtocol), "list routes").size() == 1, "somebody else's is still there");
    check_refused(netlink.add_route(network("10.42.9.0/24"), kLink, address("192.0.2.77"), kProtocol),
                  "(the kernel: ", "a gateway that nobody can reach");
}

}  // namespace

void check_links() {
    auto netlink = need(Netlink::open(), "open");
    auto events = need(NetworkEvents::open(), "subscribe");
    const auto quiet = need(events.drain(), "drain");
    check(!quiet.links && !quiet.addresses, "nothing has happened yet");
    Fd tap;
    const std::string kind = make_link(netlink, tap);
    check(netlink.link_up(kLink), "bring it up");
    check(netlink.set_mtu(kLink, 1380), "set its MTU");
    const auto link = need(netlink.link(kLink), "read the link");
    check(link && link->kind == kind && link->mtu == 1380 && link->up && link->name == kLink, "it is as it was set");
    const auto same = need(netlink.link(link->index), "read it by its number");
    check(same && same->name == kLink, "its number is its own");
    check(need(netlink.links(), "list the links").size() >= 2, "the list has it and lo");
    check(!need(netlink.link("nobody0"), "read a link that is not there"), "there is nothing");
    check_addresses(netlink);
    const auto told = need(events.drain(), "drain");
    check(told.links && told.addresses, "the subscription has told of both");
    check(!need(events.drain(), "drain").links, "and tells it once");
    check_routes(netlink);
    check(need(netlink.outside_addresses("/nonexistent"), "outside addresses").empty(), "no hardware, no addresses");
    check_refused(netlink.add_wireguard(kLink), concat("of the kind ", kind), "a name that another kind of link has");
    check(netlink.delete_link(kLink), "delete the link");
    check(netlink.delete_link(kLink), "deleting it again is no error");
    check_refused(netlink.set_mtu(kLink, 1400), "No such device", "nothing to set an MTU on");
}

}  // namespace thole
