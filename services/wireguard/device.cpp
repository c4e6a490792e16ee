#include "device.hpp"

#include <linux/genetlink.h>
#include <linux/wireguard.h>

#include <cerrno>

#include "base/text.hpp"
#include "device_messages.hpp"

namespace thole::mesh {

namespace {

void begin(NetlinkRequest& request, std::uint8_t command, std::uint8_t version) {
    auto* head = request.add_extra<genlmsghdr>();
    head->cmd = command;
    head->version = version;
}

}  // namespace

Result<WireGuard> WireGuard::open() {
    auto socket = NetlinkSocket::open(NETLINK_GENERIC);
    if (!socket) {
        return std::unexpected(socket.error());
    }
    NetlinkRequest request(GENL_ID_CTRL, 0);
    begin(request, CTRL_CMD_GETFAMILY, 1);
    request.put_name(CTRL_ATTR_FAMILY_NAME, WG_GENL_NAME);
    std::optional<std::uint16_t> family;
    const auto done = socket->request(
        request.message(),
        [&family](const nlmsghdr& message) {
            family = parse_family(message);
            return Status();
        },
        "ask the kernel for", "WireGuard");
    if (!done && done.error().code == ENOENT) {
        return std::unexpected(
            Error{"this kernel has no WireGuard (CONFIG_WIREGUARD): the mesh cannot run here", ENOENT});
    }
    if (!done) {
        return std::unexpected(done.error());
    }
    if (!family) {
        return failure("cannot ask the kernel for WireGuard: its answer has no number for it");
    }
    return WireGuard(std::move(*socket), *family);
}

Result<Device> WireGuard::read(const std::string& link) {
    return read_settled([this, &link]() -> Result<Device> {
        NetlinkRequest request(family_, NLM_F_DUMP);
        begin(request, WG_CMD_GET_DEVICE, WG_GENL_VERSION);
        request.put_name(WGDEVICE_A_IFNAME, link);
        ++messages_;
        DeviceReader reader;
        const auto done = socket_.request(
            request.message(), [&reader](const nlmsghdr& message) { return reader.take(message); },
            "read the WireGuard link", link);
        if (!done) {
            return std::unexpected(done.error());
        }
        if (!reader.found()) {
            return failure(concat("cannot read the WireGuard link ", link, ": the kernel's answer is empty"));
        }
        return std::move(reader.device());
    });
}

Status WireGuard::set_identity(const std::string& link, const PrivateKey& key, std::uint16_t port) {
    NetlinkRequest request(family_, 0);
    begin(request, WG_CMD_SET_DEVICE, WG_GENL_VERSION);
    nlmsghdr* message = request.message();
    request.put_name(WGDEVICE_A_IFNAME, link);
    mnl_attr_put(message, WGDEVICE_A_PRIVATE_KEY, key.bytes().size(), key.bytes().data());
    mnl_attr_put_u16(message, WGDEVICE_A_LISTEN_PORT, port);
    ++messages_;
    return socket_.request(message, concat("set the key and the port ", port, " of"), link);
}

Status WireGuard::apply(const std::string& link, std::span<const PeerChange> changes) {
    PeerMessages messages(family_, link, changes);
    while (nlmsghdr* message = messages.next()) {
        ++messages_;
        if (auto done = socket_.request(message, "change the peers of", link); !done) {
            return done;
        }
    }
    return {};
}

}  // namespace thole::mesh
