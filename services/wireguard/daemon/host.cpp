#include "host.hpp"

#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>

#include "base/text.hpp"
#include "control/client.hpp"
#include "os/file.hpp"
#include "saved_members.hpp"
#include "say.hpp"
#include "secret_store.hpp"

namespace thole::mesh {

namespace {

/// Datagrams that are read before others get their turn.
constexpr int kBatch = 64;
/// Names are looked up again: while nobody answers, and later.
constexpr milliseconds kSearchAgain{30'000};
constexpr milliseconds kSearchLater{600'000};
constexpr std::size_t kLongestDatagram = 1500;

void get_random(std::span<std::uint8_t> bytes) {
    while (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
        // Interrupted before the kernel had its first random numbers: there is nothing to do but ask again.
    }
}

std::uint64_t wall_clock() { return static_cast<std::uint64_t>(std::max<std::time_t>(std::time(nullptr), 0)); }

constexpr std::chrono::seconds seconds_of(std::uint64_t number) { return std::chrono::seconds(number); }

Result<Fd> open_signals() {
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGTERM);
    ::sigaddset(&set, SIGINT);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    Fd signals(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    return signals ? Result<Fd>(std::move(signals)) : system_error("wait for", "signals");
}

}  // namespace

MeshHost::MeshHost(DaemonSettings&& settings, MeshFiles&& files, EventLoop&& loop, MeshLink&& link,
                   OutsideSocket&& outside, InsideSocket&& inside, NetworkEvents&& events)
    : settings_(std::move(settings)),
      files_(std::move(files)),
      loop_(std::move(loop)),
      link_(std::move(link)),
      outside_(std::move(outside)),
      inside_(std::move(inside)),
      events_(std::move(events)) {}

MeshHost::~MeshHost() {
    resolver_.reset();
    control_.reset();
}

Result<std::unique_ptr<MeshHost>> MeshHost::make(DaemonSettings settings, MeshFiles files) {
    Block random{};
    get_random(random);
    if (auto made = make_directories(files.state, 0700); !made) {
        return std::unexpected(made.error());
    }
    const auto key = node_key(files.state, random);
    if (!key) {
        return std::unexpected(key.error());
    }
    const auto state = begin_epoch(files.state, wall_clock());
    if (!state) {
        return std::unexpected(state.error());
    }
    auto loop = EventLoop::make();
    auto link = loop ? MeshLink::open(*key, settings) : std::unexpected(loop.error());
    if (!link) {
        return std::unexpected(link.error());
    }
    const Address own = mesh_ipv6(settings.ranges.ipv6, key->public_key());
    if (auto given = link->set_addresses(settings.ranges, own, std::nullopt); !given) {
        return std::unexpected(given.error());
    }
    auto outside = OutsideSocket::open(settings.greeting_port());
    if (!outside) {
        return std::unexpected(outside.error());
    }
    auto inside = InsideSocket::open(std::string(kLink), own, settings.message_port());
    if (!inside) {
        return std::unexpected(inside.error());
    }
    auto events = NetworkEvents::open();
    if (!events) {
        return std::unexpected(events.error());
    }
    std::unique_ptr<MeshHost> host(new MeshHost(std::move(settings), std::move(files), std::move(*loop),
                                                std::move(*link), std::move(*outside), std::move(*inside),
                                                std::move(*events)));
    host->own_ipv6_ = own;
    if (auto begun = host->begin(key->public_key(), *state); !begun) {
        return std::unexpected(begun.error());
    }
    return host;
}

Status MeshHost::begin(const PublicKey& key, const NodeState& state) {
    const StoredSecret stored = choose_secret(files_.state, settings_.secret);
    Settings own{.key = key,
                 .ranges = settings_.ranges,
                 .name = settings_.name,
                 .roles = settings_.roles,
                 .port = settings_.port,
                 .pods = {},
                 .endpoints = {},
                 .fixed_ipv4 = settings_.fixed_ipv4,
                 .seeds = {},
                 .state = state,
                 .secret = stored.version};
    get_random(own.random);
    const Instant time = now();
    World& world = *this;
    mesh_ = std::make_unique<Mesh>(std::move(own), stored.secret, world, time);
    const std::uint64_t seconds = wall_clock();
    if (settings_.previous_secret) {
        mesh_->allow_secret(*settings_.previous_secret, kNever);
    } else if (stored.previous && stored.previous_until > seconds) {
        const std::uint64_t left =
            std::min<std::uint64_t>(stored.previous_until - seconds, kSecretGrace / seconds_of(1));
        mesh_->allow_secret(*stored.previous, time + seconds_of(left));
    }
    restore_members();
    use_network();
    std::vector<NamedPlace> places = settings_.seeds;
    for (const NamedPlace& place : settings_.endpoints) {
        places.push_back(place);
    }
    on_resolved(std::vector<std::vector<Endpoint>>(places.size()));
    resolver_ = std::make_unique<Resolver>(loop_, std::move(places), [this](const auto& found) { on_resolved(found); });
    resolver_->start();
    next_search_ = time + kSearchAgain;
    next_save_ = time;
    if (auto watched = watch_announcement(); !watched) {
        return watched;
    }
    return watch_all();
}

Status MeshHost::watch_all() {
    auto signals = open_signals();
    if (!signals) {
        return std::unexpected(signals.error());
    }
    signals_ = std::move(*signals);
    const std::array<std::pair<int, Source*>, 5> sources{{{signals_.get(), &on_signal_},
                                                          {announcement_events_.get(), &on_announcement_},
                                                          {outside_.fd(), &on_outside_},
                                                          {inside_.fd(), &on_inside_},
                                                          {events_.fd(), &on_network_}}};
    for (const auto& [fd, source] : sources) {
        if (auto added = loop_.add(fd, EPOLLIN, *source); !added) {
            return added;
        }
    }
    auto control = ControlServer::listen(files_.control, loop_, *this);
    if (!control) {
        return std::unexpected(control.error());
    }
    control_ = std::move(*control);
    return {};
}

void MeshHost::restore_members() {
    const auto text = read_file(files_.members(), kMostMembers * (kLongestRecord + 16));
    if (!text) {
        return;
    }
    const Instant time = now();
    for (const SavedMember& saved : parse_members(*text, wall_clock())) {
        mesh_->restore(saved.record, saved.age, time);
    }
}

/// Seeds come first in the list, then endpoints of this node.
void MeshHost::on_resolved(const std::vector<std::vector<Endpoint>>& found) {
    std::vector<Endpoint> seeds;
    if (settings_.discovery) {
        seeds = discovery_places(settings_.greeting_port());
    }
    fixed_endpoints_.clear();
    for (std::size_t index = 0; index < found.size(); ++index) {
        for (const Endpoint& endpoint : found[index]) {
            if (index < settings_.seeds.size()) {
                seeds.push_back(endpoint);
            } else {
                fixed_endpoints_.push_back({EndpointKind::fixed, endpoint});
            }
        }
    }
    mesh_->set_seeds(seeds, now());
    use_network();
}

void MeshHost::read_outside() {
    std::array<std::uint8_t, kLongestDatagram> room;
    for (int count = 0; count < kBatch; ++count) {
        const auto received = outside_.receive(room);
        if (!received) {
            return;
        }
        mesh_->on_outside(received->from, received->content, now());
    }
}

void MeshHost::read_inside() {
    std::array<std::uint8_t, kLongestDatagram> room;
    for (int count = 0; count < kBatch; ++count) {
        const auto received = inside_.receive(room);
        if (!received) {
            return;
        }
        const PublicKey* const owner = book_.owner(received->from.address);
        if (owner == nullptr) {
            continue;
        }
        const PublicKey from = *owner;
        if (!mesh_->reaches(from)) {
            next_poll_ = now();  // it answers: the kernel knows of a handshake
        }
        if (!received->content.empty()) {
            mesh_->on_inside(from, received->content, now());
        }
    }
}

void MeshHost::read_network() {
    const auto changes = events_.drain();
    if (!changes || changes->links || changes->addresses) {
        use_network();
    }
}

/// Tells the mesh where this node can be reached, and the socket how greetings leave it.
void MeshHost::use_network() {
    const auto interfaces = link_.outside_interfaces();
    if (!interfaces) {
        say(interfaces.error().message);
        return;
    }
    outside_.use_interfaces(*interfaces);
    const bool clash = std::ranges::any_of(*interfaces, [&](const OutsideInterface& interface) {
        return interface.ipv4 && network_contains(settings_.ranges.ipv4, *interface.ipv4);
    });
    if (clash && !range_clashes_) {
        say(concat("the network outside has addresses of the mesh's range ", network_text(settings_.ranges.ipv4),
                   ": this node goes without an IPv4 address in the mesh; give the cluster another mesh.range"));
    }
    addresses_changed_ = addresses_changed_ || clash != range_clashes_;
    range_clashes_ = clash;
    std::vector<KnownEndpoint> endpoints = fixed_endpoints_;
    for (const OutsideInterface& interface : *interfaces) {
        for (const auto& address : {interface.ipv4, interface.ipv6}) {
            if (address && endpoints.size() < kMostEndpoints) {
                endpoints.push_back({EndpointKind::local, {*address, settings_.port}});
            }
        }
    }
    endpoints.resize(std::min(endpoints.size(), kMostEndpoints));
    mesh_->set_endpoints(std::move(endpoints), now());
    if (const auto mtu = link_.set_mtu(settings_.mtu)) {
        mtu_ = *mtu;
    }
}

void MeshHost::send_inside(const PublicKey& to, Bytes message) {
    if (const Address* const address = mesh_->address_of(to)) {
        inside_.send(*address, message);
    }
}

void MeshHost::on_peer_changed(const PublicKey& /*key*/) {
    peers_changed_ = true;
    names_changed_ = true;
    members_changed_ = true;
}

void MeshHost::on_addresses_changed() {
    peers_changed_ = true;
    addresses_changed_ = true;
    names_changed_ = true;
}

void MeshHost::try_endpoint(const PublicKey& key, const Endpoint& /*endpoint*/) { tries_.push_back(key); }

void MeshHost::save(const NodeState& state) {
    if (auto saved = save_state(files_.state, state); !saved) {
        say(saved.error().message);
    }
}

void MeshHost::on_secret(const ClusterSecret& secret, const SecretVersion& version) {
    StoredSecret before = choose_secret(files_.state, settings_.secret);
    const StoredSecret stored{.secret = ClusterSecret(secret.bytes()),
                              .version = version,
                              .previous = std::move(before.secret),
                              .previous_until = wall_clock() + kSecretGrace / seconds_of(1)};
    if (auto saved = store_secret(files_.state, stored, settings_.secret); !saved) {
        say(saved.error().message);
    }
    say(concat("the cluster has a new secret, number ", version.generation));
    // It reads the secret when it starts. Where it does not run there is nothing to do.
    (void)ask_pid1("restart remote");
}

void MeshHost::fill_random(std::span<std::uint8_t> bytes) { get_random(bytes); }

std::uint64_t MeshHost::seconds_since_1970() { return wall_clock(); }

Instant MeshHost::next_deadline() const {
    Instant next = std::min({mesh_->next_deadline(), next_poll_, next_metrics_});
    if (names_changed_) {
        next = std::min(next, next_names_);
    }
    if (members_changed_) {
        next = std::min(next, next_save_);
    }
    if (resolver_->has_names()) {
        next = std::min(next, next_search_);
    }
    if (const auto deadline = control_->next_deadline()) {
        next = std::min(next, *deadline);
    }
    return next;
}

void MeshHost::on_time(Instant time) {
    mesh_->tick(time);
    control_->on_time(time);
    if (resolver_->has_names() && time >= next_search_) {
        next_search_ = time + (mesh_->working_peers() > 0 ? kSearchLater : kSearchAgain);
        resolver_->start();
    }
    if (time >= next_poll_) {
        poll_link(time);
    }
    settle_addresses();
    use_members(time);
    settle_link();
    write_metrics(time);
    save_members(time);
}

Status MeshHost::run() {
    say(concat("node ", settings_.name, " of ", settings_.cluster, ": ", address_text(own_ipv6_), ", key ",
               fingerprint(mesh_->self().key())));
    while (!ending_) {
        on_time(now());
        tell_supervisor();
        loop_.wait(next_deadline());
    }
    next_save_ = now();
    members_changed_ = true;
    save_members(now());
    return {};
}

}  // namespace thole::mesh
