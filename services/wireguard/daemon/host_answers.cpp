// What `thole mesh` asks.
#include <algorithm>

#include "base/text.hpp"
#include "control/protocol.hpp"
#include "host.hpp"
#include "say.hpp"

namespace thole::mesh {

namespace {

std::string endpoint_text(const Endpoint& endpoint) {
    const std::string address = address_text(endpoint.address);
    return endpoint.address.family == AF_INET6 ? concat("[", address, "]:", endpoint.port)
                                               : concat(address, ":", endpoint.port);
}

/// One "NAME=VALUE" field of a line.
void add_field(std::string& line, std::string_view name, std::string_view value) {
    append(line, line.empty() || line.ends_with('\n') ? "" : "\t", name, "=", one_field(value));
}

std::string key_text(const PublicKey& key) { return base64_text(key.bytes); }

}  // namespace

std::string_view MeshHost::state_word() const {
    if (mesh_->forgotten()) {
        return "forgotten";
    }
    if (mesh_->self().record().left()) {
        return "left";
    }
    if (mesh_->refused_address()) {
        return "address-refused";
    }
    if (range_clashes_) {
        return "range-clash";
    }
    if (!mesh_->has_ipv4()) {
        return "settling";
    }
    return mesh_->members().all().size() == 1 ? "alone" : "joined";
}

std::string MeshHost::info_lines(Instant /*time*/) {
    const NodeRecord own = mesh_->self().read();
    std::string text = concat("cluster=", settings_.cluster, "\nname=", settings_.name,
                              "\npublic-key=", key_text(own.key), "\nfingerprint=", fingerprint(own.key), "\n");
    const auto own_ipv4 = ipv4();
    append(text, "ipv4=", own_ipv4 ? address_text(*own_ipv4) : "", "\nipv6=", address_text(own_ipv6_),
           "\nrange=", network_text(settings_.ranges.ipv4), "\nula=", network_text(settings_.ranges.ipv6), "\n");
    append(text, "port=", settings_.port, "\nmtu=", mtu_, "\nepoch=", own.version.epoch, "\nstate=", state_word(),
           "\nnat=", mesh_->behind_nat() ? "yes" : "no", "\n");
    append(text, "members=", mesh_->members().all().size(), "\npeers=", mesh_->peer_count(),
           "\nup=", mesh_->working_peers(), "\n");
    for (const KnownEndpoint& endpoint : own.endpoints) {
        append(text, "endpoint=", endpoint_text(endpoint.where), "\n");
    }
    return text;
}

std::string MeshHost::peer_lines(Instant time) {
    const auto device = link_.read();
    std::string text;
    for (std::size_t index = 0; index < mesh_->peer_count(); ++index) {
        const PeerSetup peer = mesh_->wanted(index);
        const Member* const member = mesh_->members().find(peer.key);
        std::string line;
        add_field(line, "name", member != nullptr ? mesh_->members().unique_name(*member, time) : "");
        add_field(line, "key", key_text(peer.key));
        add_field(line, "fingerprint", fingerprint(peer.key));
        add_field(line, "ipv4", peer.ipv4 ? address_text(*peer.ipv4) : "");
        add_field(line, "ipv6", address_text(peer.ipv6));
        const auto actual = device ? std::ranges::find(device->peers, peer.key, &DevicePeer::key)
                                   : std::vector<DevicePeer>::const_iterator();
        if (device && actual != device->peers.end()) {
            const PathStatus status = book_.status(*actual, peer.ipv6, time, seconds_since_1970());
            add_field(line, "endpoint", actual->endpoint ? endpoint_text(*actual->endpoint) : "");
            add_field(line, "handshake", to_text(status.handshake ? (time - *status.handshake).count() / 1000 : -1));
            add_field(line, "sent", to_text(static_cast<std::int64_t>(status.sent)));
            add_field(line, "received", to_text(static_cast<std::int64_t>(status.received)));
        }
        add_field(line, "state", mesh_->reaches(peer.key) ? "up" : member == nullptr ? "joining" : "searching");
        add_field(line, "roles", member != nullptr ? member->read().roles : std::string());
        append(text, line, "\n");
    }
    return text;
}

Result<std::string> MeshHost::difference_lines() {
    const auto device = link_.read();
    if (!device) {
        return std::unexpected(device.error());
    }
    const auto addresses = link_.address_differences(settings_.ranges, own_ipv6_, ipv4());
    const auto routes = link_.route_differences(pod_routes());
    if (!addresses || !routes) {
        return std::unexpected(addresses ? routes.error() : addresses.error());
    }
    std::string text;
    for (const auto& differences :
         {peer_differences(wanted_peers(), *device), network_differences("address", *addresses),
          network_differences("route", *routes)}) {
        for (const Difference& difference : differences) {
            add_field(text, "what", difference.what);
            add_field(text, "wanted", difference.wanted);
            add_field(text, "actual", difference.actual);
            text += '\n';
        }
    }
    return text;
}

/// By name, fingerprint or key.
Result<std::string> MeshHost::forget(std::string_view who) {
    const Instant time = now();
    for (const auto& member : mesh_->members().all()) {
        const PublicKey key = member->key();
        const bool forgotten = member->record().forgotten();
        const bool meant = key_text(key) == who || fingerprint(key) == who ||
                           (!forgotten && mesh_->members().unique_name(*member, time) == who);
        if (!meant) {
            continue;
        }
        if (forgotten) {
            return failure(concat(who, " is forgotten already"));
        }
        const std::string name(member->record().name());
        if (!mesh_->forget(key, time)) {
            return failure(concat(who, " is this node itself: ask another to forget it, or let it leave"));
        }
        say(concat("forgot ", name, " (", fingerprint(key), ") as the command line asked"));
        return concat("forgot ", name, " ", fingerprint(key), "\n");
    }
    return failure(concat("no node of this mesh is called ", who, ": `thole mesh peers` lists them"));
}

/// The lines that node.ini of nodes made from now on needs.
std::string MeshHost::rotate_secret() {
    Block random{};
    fill_random(random);
    const ClusterSecret secret(random);
    mesh_->rotate_secret(secret, now());
    wipe(random);
    return concat("[mesh]\ncluster = ", settings_.cluster, "\nsecret = ", base64_text(secret.bytes()),
                  "\nula = ", network_text(settings_.ranges.ipv6), "\n");
}

Result<std::string> MeshHost::answer(const std::vector<std::string_view>& words) {
    const auto verb = words.empty() ? std::string_view() : words[0];
    if (words.size() == 1 && verb == "info") {
        return info_lines(now());
    }
    if (words.size() == 1 && verb == "peers") {
        return peer_lines(now());
    }
    if (words.size() == 1 && verb == "differences") {
        return difference_lines();
    }
    if (words.size() == 2 && verb == "forget") {
        return forget(words[1]);
    }
    if (words.size() == 1 && verb == "leave") {
        say("leaving the mesh as the command line asked; `thole restart mesh` joins it again");
        mesh_->leave(now());
        return std::string();
    }
    if (words.size() == 1 && verb == "rotate-secret") {
        return rotate_secret();
    }
    return failure("the mesh does not know this request");
}

}  // namespace thole::mesh
