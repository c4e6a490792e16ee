// What rtnetlink's messages say. No system calls.
#pragma once

#include "netlink.hpp"

namespace thole {

/// Nothing for a message of another type or without what makes it useful; an error for one that is cut short.
Result<std::optional<Link>> parse_link(const nlmsghdr& message);
Result<std::optional<InterfaceAddress>> parse_interface_address(const nlmsghdr& message);
/// Of the main table, without multicast and cached routes.
Result<std::optional<Route>> parse_route(const nlmsghdr& message);

/// Marks what a datagram of the subscription tells of.
void note_changes(NetlinkBytes datagram, NetworkEvents::Changes& changes);

}  // namespace thole
