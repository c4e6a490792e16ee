// What the kernel, or whoever stands in for it, may send over netlink. The first byte says which parser gets the rest.
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "device_messages.hpp"
#include "input.hpp"
#include "netlink_parse.hpp"
#include "netlink_socket.hpp"

namespace {

using namespace thole;
using namespace thole::mesh;

bool is_network(const Network& network) {
    return (network.address.family == AF_INET || network.address.family == AF_INET6) &&
           network.prefix <= network.address.size() * 8;
}

Status take_route_message(const nlmsghdr& message) {
    (void)parse_link(message);
    const auto address = parse_interface_address(message);
    expect(!address || !*address || is_network((*address)->network));
    const auto route = parse_route(message);
    expect(!route || !*route || is_network((*route)->destination));
    return {};
}

/// A device as it was read can be written, and reads the same.
void check_again(const Device& device) {
    std::vector<PeerChange> changes;
    for (const DevicePeer& peer : device.peers) {
        PeerChange change;
        change.key = peer.key;
        change.endpoint = peer.endpoint;
        change.keepalive = peer.keepalive;
        change.allowed = peer.allowed;
        changes.push_back(change);
    }
    const std::string link = "wg0";
    PeerMessages messages(0x20, link, changes, 600);
    std::size_t count = 0;
    while (const nlmsghdr* message = messages.next()) {
        expect(message->nlmsg_len <= 600);
        ++count;
    }
    expect((count == 0) == changes.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) {
        return 0;
    }
    std::vector<char> bytes(size - 1);  // aligned, as the kernel's datagrams are
    std::memcpy(bytes.data(), data + 1, bytes.size());
    // Numbers that the input cannot guess are not what is looked for.
    std::uint32_t sequence = 0;
    std::uint32_t port = 0;
    if (bytes.size() >= sizeof(nlmsghdr)) {
        nlmsghdr head{};
        std::memcpy(&head, bytes.data(), sizeof head);
        sequence = head.nlmsg_seq;
        port = head.nlmsg_pid;
    }
    DeviceReader reader;
    const OnMessage on_message = [&reader, kind = data[0] % 3](const nlmsghdr& message) {
        if (kind == 0) {
            return reader.take(message);
        }
        return kind == 1 ? take_route_message(message) : Status((void(parse_family(message)), Status()));
    };
    NetlinkAnswer answer(sequence, port, on_message);
    answer.take(bytes);
    expect(answer.complete() || answer.code() == 0);
    expect(answer.words().size() <= bytes.size());
    if (answer.status()) {
        check_again(reader.device());
    }
    NetworkEvents::Changes changes;
    note_changes(bytes, changes);
    return 0;
}
