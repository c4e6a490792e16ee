// The process around Mesh: sockets, the kernel's WireGuard and files on one side, the mesh's decisions on the other.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "announcement.hpp"
#include "base/text.hpp"
#include "control/server.hpp"
#include "link.hpp"
#include "mesh.hpp"
#include "os/event_loop.hpp"
#include "peer_book.hpp"
#include "pod_networks.hpp"
#include "resolver.hpp"
#include "settings.hpp"
#include "sockets.hpp"

namespace thole::mesh {

/// Where the node keeps what it knows of the mesh.
struct MeshFiles {
    std::string state = "/var/lib/thole/mesh";
    std::string control = std::string(kMeshSocket);
    std::string metrics = "/run/thole/metrics/mesh.prom";
    std::string run = std::string(kAnnouncementFolder);

    [[nodiscard]] std::string announcement() const { return concat(run, "/", kAnnouncementName); }
    /// A line a member: "NAME IPV4 IPV6 ROLES PODS", "-" for what is not there, commas in lists.
    [[nodiscard]] std::string nodes() const { return run + "/mesh-nodes"; }
    [[nodiscard]] std::string members() const { return state + "/members"; }
};

class MeshHost : private World, private RequestHandler {
   public:
    /// Everything that can fail at the start: key, state, sockets, link.
    static Result<std::unique_ptr<MeshHost>> make(DaemonSettings settings, MeshFiles files);
    ~MeshHost() override;

    /// Until SIGTERM, or an error after which only a new process helps.
    Status run();

   private:
    /// A descriptor whose events go to one of the host's functions.
    class Source : public EventSource {
       public:
        Source(MeshHost& host, void (MeshHost::*run)()) : host_(host), run_(run) {}
        void on_events(std::uint32_t /*events*/) override { (host_.*run_)(); }

       private:
        MeshHost& host_;
        void (MeshHost::*run_)();
    };

    MeshHost(DaemonSettings&& settings, MeshFiles&& files, EventLoop&& loop, MeshLink&& link, OutsideSocket&& outside,
             InsideSocket&& inside, NetworkEvents&& events);

    // World
    void send_outside(const Endpoint& to, Bytes datagram) override { outside_.send(to, datagram); }
    void send_inside(const PublicKey& to, Bytes message) override;
    void on_peer_changed(const PublicKey& key) override;
    void on_addresses_changed() override;
    void try_endpoint(const PublicKey& key, const Endpoint& endpoint) override;
    void save(const NodeState& state) override;
    void on_secret(const ClusterSecret& secret, const SecretVersion& version) override;
    void fill_random(std::span<std::uint8_t> bytes) override;
    std::uint64_t seconds_since_1970() override;

    // host.cpp
    Status begin(const PublicKey& key, const NodeState& state);
    Status watch_all();
    void restore_members();
    void on_resolved(const std::vector<std::vector<Endpoint>>& found);
    void end() { ending_ = true; }
    void read_outside();
    void read_inside();
    void read_network();
    void use_network();
    [[nodiscard]] Instant next_deadline() const;
    void on_time(Instant time);

    // host_link.cpp: the kernel's side
    void poll_link(Instant time);
    void settle_link();
    void settle_addresses();
    [[nodiscard]] std::vector<WantedPeer> wanted_peers() const;

    // host_pods.cpp
    Status watch_announcement();
    void on_announcement();
    void read_announcement();
    void decide_pods_anew();
    [[nodiscard]] std::vector<PodNetwork> announced_pods() const;
    [[nodiscard]] std::vector<Network> pod_routes() const;

    // host_files.cpp
    void use_members(Instant time);
    void write_names(Instant time);
    void write_nodes();
    void write_metrics(Instant time);
    void save_members(Instant time);
    void tell_supervisor();

    // host_answers.cpp: the control socket
    Result<std::string> answer(const std::vector<std::string_view>& words) override;
    [[nodiscard]] std::string info_lines(Instant time);
    [[nodiscard]] std::string peer_lines(Instant time);
    Result<std::string> difference_lines();
    Result<std::string> forget(std::string_view who);
    std::string rotate_secret();
    [[nodiscard]] std::string_view state_word() const;
    /// The node's IPv4 address in the mesh, where the link is to have it.
    [[nodiscard]] std::optional<Address> ipv4() const;

    DaemonSettings settings_;
    MeshFiles files_;
    EventLoop loop_;
    MeshLink link_;
    OutsideSocket outside_;
    InsideSocket inside_;
    NetworkEvents events_;
    Fd signals_;
    Source on_signal_{*this, &MeshHost::end};
    Source on_outside_{*this, &MeshHost::read_outside};
    Source on_inside_{*this, &MeshHost::read_inside};
    Source on_network_{*this, &MeshHost::read_network};
    Source on_announcement_{*this, &MeshHost::on_announcement};
    Fd announcement_events_;
    std::unique_ptr<Resolver> resolver_;
    std::unique_ptr<ControlServer> control_;
    std::unique_ptr<Mesh> mesh_;
    PeerBook book_;
    Address own_ipv6_;
    std::vector<KnownEndpoint> fixed_endpoints_;
    std::vector<PublicKey> tries_;  // peers whose endpoint is to be tried
    std::string names_;             // as they were written last
    std::string nodes_;             // likewise
    Announcement announcement_;     // of this node
    std::string announcement_trouble_;
    std::vector<PodNetwork> pods_;  // of the others
    std::string refused_pods_;
    std::string told_;  // to the supervisor
    unsigned mtu_ = 0;
    bool peers_changed_ = true;
    bool addresses_changed_ = true;
    bool names_changed_ = true;
    bool members_changed_ = false;
    bool ending_ = false;
    bool range_clashes_ = false;  // DHCP gave an address that could be another node's
    std::uint64_t link_errors_ = 0;
    milliseconds poll_pause_{};
    Instant next_poll_;
    Instant next_names_;
    Instant next_metrics_;
    Instant next_save_;
    Instant next_search_;
};

}  // namespace thole::mesh
