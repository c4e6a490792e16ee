// What a node does for one that has proved who it is: run one command of its own, or hand the connection on to another
// node. Each in a process of its own, which ends with the connection.
#pragma once

#include <string>

#include "config/address.hpp"
#include "frames.hpp"
#include "os/fd.hpp"

namespace thole::remote {

struct Session {
    Fd socket;
    Sealer sealer;
    std::string who;  // for the log: "admin alice from 192.0.2.7"
    Request request;
};

/// Where a session finds what it needs; the tests have other places.
struct SessionPlaces {
    std::string program = "/proc/self/exe";
    std::string hosts = "/etc/hosts";
    std::string device;  // of the mesh
    Network range;       // of the mesh, IPv6
    std::uint16_t port = 0;
};

/// Runs `thole` with the request's words. What it writes and its exit status go to the client; it is killed when the
/// client goes away. All of it is logged.
void run_session(Session& session, const SessionPlaces& places);

/// Connects to the node that the request names and hands bytes on, in both directions, until one end closes.
void relay_session(Session& session, const SessionPlaces& places);

/// Says why not.
void refuse_session(Session& session, const Error& why);

}  // namespace thole::remote
