// What this node announces for its own services, and the routes to the pods of others.
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/text.hpp"
#include "host.hpp"
#include "os/file.hpp"
#include "say.hpp"

namespace thole::mesh {

Status MeshHost::watch_announcement() {
    announcement_events_ = Fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!announcement_events_ || ::inotify_add_watch(announcement_events_.get(), files_.run.c_str(),
                                                     IN_MOVED_TO | IN_CLOSE_WRITE | IN_DELETE | IN_ONLYDIR) < 0) {
        return system_error("watch for what is to be announced in", files_.run);
    }
    read_announcement();
    return {};
}

void MeshHost::on_announcement() {
    alignas(inotify_event) std::array<char, 4096> events{};
    while (::read(announcement_events_.get(), events.data(), events.size()) > 0) {
    }
    read_announcement();
}

/// A file that is not there announces nothing; one that cannot be read leaves what is announced as it is.
void MeshHost::read_announcement() {
    const auto text = read_file(files_.announcement());
    if (!text && text.error().code != ENOENT) {
        say(text.error().message);
        return;
    }
    const auto read = parse_announcement(text.value_or(""));
    const auto roles = read ? all_roles(settings_.roles, *read) : std::unexpected(read.error());
    if (!roles) {
        const std::string trouble = concat(files_.announcement(), ": ", roles.error().message);
        if (trouble != announcement_trouble_) {
            announcement_trouble_ = trouble;
            say(trouble);
        }
        return;
    }
    announcement_trouble_.clear();
    if (*read == announcement_) {
        return;
    }
    announcement_ = *read;
    names_changed_ = true;
    mesh_->set_announcement(*roles, announcement_.pods, now());
}

std::vector<PodNetwork> MeshHost::announced_pods() const {
    std::vector<PodNetwork> all;
    for (const auto& member : mesh_->members().all()) {
        if (!member->present() || member->key() == mesh_->self().key()) {
            continue;
        }
        for (const Network& network : member->read().pods) {
            all.push_back({member->key(), network, member->record().settled(), mesh_->reaches(member->key())});
        }
    }
    return all;
}

/// Decides anew whose pods are where. The routes follow with the peers.
void MeshHost::decide_pods_anew() {
    PodDecision decision = decide_pods(
        announced_pods(), {.ranges = settings_.pod_ranges, .mesh = settings_.ranges, .own = announcement_.pods});
    std::string refused;
    for (const PodNetwork& one : decision.refused) {
        append(refused, refused.empty() ? "" : ", ", network_text(one.network), " of ", fingerprint(one.key));
    }
    if (refused != refused_pods_ && !refused.empty()) {
        say(concat("not routed: ", refused,
                   "; they overlap others' networks, or are not in this node's kubernetes.pod-range"));
    }
    refused_pods_ = std::move(refused);
    pods_ = std::move(decision.routed);
    peers_changed_ = true;
}

std::vector<Network> MeshHost::pod_routes() const {
    std::vector<Network> routes;
    for (const PodNetwork& one : pods_) {
        if (mesh_->is_peer(one.key)) {
            routes.push_back(one.network);
        }
    }
    return routes;
}

}  // namespace thole::mesh
