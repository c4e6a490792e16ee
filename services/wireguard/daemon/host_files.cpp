// What others on the node read of the mesh: names, figures, and the supervisor's status line.
#include <algorithm>
#include <cstdlib>

#include "base/text.hpp"
#include "boot/container.hpp"
#include "host.hpp"
#include "metrics.hpp"
#include "node_files.hpp"
#include "os/file.hpp"
#include "os/notify_sender.hpp"
#include "saved_members.hpp"
#include "say.hpp"

namespace thole::mesh {

namespace {

constexpr milliseconds kNamesPause{500};
constexpr milliseconds kMetricsPause{15'000};
constexpr milliseconds kSavePause{60'000};

std::string with_commas(std::string words) {
    std::ranges::replace(words, ' ', ',');
    return words.empty() ? "-" : words;
}

std::vector<Network> networks_of(std::span<const PodNetwork> pods) {
    std::vector<Network> networks;
    for (const PodNetwork& one : pods) {
        networks.push_back(one.network);
    }
    return networks;
}

}  // namespace

/// What follows from who is there, and from what they say; not more often than people would notice.
void MeshHost::use_members(Instant time) {
    if (!names_changed_ || time < next_names_) {
        return;
    }
    names_changed_ = false;
    next_names_ = time + kNamesPause;
    decide_pods_anew();
    write_names(time);
    write_nodes();
}

void MeshHost::write_names(Instant time) {
    std::string lines;
    for (const auto& member : mesh_->members().all()) {
        if (!member->present() || member->key() == mesh_->self().key()) {
            continue;
        }
        const std::string name = mesh_->members().unique_name(*member, time);
        if (member->has_address) {
            append(lines, address_text(member->record().ipv4()), " ", name, "\n");
        }
        append(lines, address_text(mesh_ipv6(settings_.ranges.ipv6, member->key())), " ", name, "\n");
    }
    if (lines != names_) {
        if (auto written = write_mesh_names({.root = {}, .in_container = runs_in_container()}, lines); !written) {
            say(written.error().message);
            return;
        }
        names_ = std::move(lines);
    }
}

/// Under the name that each gives itself: a node that was made anew is there beside its old self for some time.
void MeshHost::write_nodes() {
    std::string lines;
    for (const auto& member : mesh_->members().all()) {
        if (!member->present()) {
            continue;
        }
        const NodeRecord record = member->read();
        const bool self = record.key == mesh_->self().key();
        const bool has_ipv4 = self ? ipv4().has_value() : member->has_address;
        append(lines, record.name, " ", has_ipv4 ? address_text(record.ipv4) : std::string("-"), " ",
               address_text(mesh_ipv6(settings_.ranges.ipv6, record.key)), " ", with_commas(record.roles), " ");
        const auto pods = pods_of(pods_, record.key);
        std::string networks;
        for (const Network& network : self ? announcement_.pods : networks_of(pods)) {
            append(networks, networks.empty() ? "" : ",", network_text(network));
        }
        append(lines, networks.empty() ? "-" : networks, "\n");
    }
    if (lines != nodes_) {
        if (auto written = replace_file(files_.nodes(), lines, 0644); !written) {
            say(written.error().message);
            return;
        }
        nodes_ = std::move(lines);
    }
}

void MeshHost::write_metrics(Instant time) {
    if (time < next_metrics_) {
        return;
    }
    next_metrics_ = time + kMetricsPause;
    const std::string folder = files_.metrics.substr(0, files_.metrics.rfind('/'));
    if (!make_directories(folder) || !replace_file(files_.metrics, metrics_text(*mesh_, link_errors_), 0644)) {
        next_metrics_ = kNever;  // without the folder there is nobody to read it
    }
}

void MeshHost::save_members(Instant time) {
    if (!members_changed_ || time < next_save_) {
        return;
    }
    members_changed_ = false;
    next_save_ = time + kSavePause;
    const std::string text = members_text(mesh_->members(), mesh_->self().key(), time, seconds_since_1970());
    if (auto saved = replace_file(files_.members(), text, 0600); !saved) {
        say(saved.error().message);
    }
}

void MeshHost::tell_supervisor() {
    std::string text = concat(mesh_->working_peers(), " of ", mesh_->peer_count(), " peers, ", state_word());
    if (text != told_) {
        const char* const path = std::getenv("NOTIFY_SOCKET");
        // Without a supervisor there is nobody to tell.
        (void)notify(path != nullptr ? path : "", concat(told_.empty() ? "READY=1\n" : "", "STATUS=", text, "\n"));
        told_ = std::move(text);
    }
}

}  // namespace thole::mesh
