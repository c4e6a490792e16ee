// The node's end: who connects must prove a grant before it costs more than one of a few places and a few hashes.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "handshake.hpp"
#include "os/event_loop.hpp"
#include "os/process.hpp"
#include "session.hpp"

namespace thole::remote {

struct ServerSettings {
    std::vector<mesh::ClusterSecret> secrets;  // the present one, and the one before where there is one
    std::vector<std::string> refused;          // names of clients
    std::string name;                          // the node's own
    Role nodes = Role::read_only;              // what comes by the mesh may do at the most
    std::optional<Address> outside;            // where to listen for others than nodes; empty: nowhere
    std::vector<Network> mesh_ranges;          // nobody from outside has such an address
    Milliseconds proof_time{5000};             // from the connection to the request
    SessionPlaces places;
};

class Server {
   public:
    /// Who has not proved anything yet; of more the oldest has to go.
    static constexpr std::size_t kPlaces = 32;
    /// Commands and handed-on connections at one time.
    static constexpr std::size_t kSessions = 16;

    Server(EventLoop& loop, ServerSettings settings);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// Listens outside, where that is wanted, and on the mesh's device as soon and as often as there is one. Errors: of
    /// the system calls.
    Status open();

    void on_time();
    [[nodiscard]] std::optional<Instant> next_deadline() const;

    /// The port outside, for tests that let the kernel choose it.
    [[nodiscard]] std::uint16_t outside_port() const;

   private:
    class Place;
    class Listener;
    class LinkWatch;
    class Child;

    /// False where nobody waits.
    bool accept_one(const Listener& listener);
    void open_mesh_listener();
    void take_request(Place& place);
    /// False where the peer is none to talk to.
    bool take_hello(Place& place);
    void begin_session(Place& place, Request request);
    [[nodiscard]] Status check_session(const Place& place, const Request& request) const;
    [[nodiscard]] Role role_of_peer(const Place& place) const;
    void forget(const Child& child);
    void note_stranger(const Address& peer);

    EventLoop& loop_;
    ServerSettings settings_;
    std::unique_ptr<Listener> outside_;
    std::unique_ptr<Listener> mesh_;
    unsigned mesh_index_ = 0;
    std::unique_ptr<LinkWatch> links_;
    std::vector<std::unique_ptr<Place>> places_;  // all made at the start
    std::vector<std::unique_ptr<Child>> children_;
    unsigned strangers_ = 0;  // since they were last logged
    Address last_stranger_;
    std::optional<Instant> say_strangers_;
};

}  // namespace thole::remote
