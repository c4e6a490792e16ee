// Who gets a session, and the processes that sessions are.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <ctime>

#include "allowed.hpp"
#include "server_parts.hpp"
#include "wires.hpp"

namespace thole::remote {

Role Server::role_of_peer(const Place& place) const {
    const Role granted = place.grant.role == Role::node ? settings_.nodes : place.grant.role;
    return place.from_mesh ? lesser(granted, settings_.nodes) : granted;
}

Status Server::check_session(const Place& place, const Request& request) const {
    if (request.words.empty()) {
        return failure("this is no request that this node knows: is `thole` of another version here?");
    }
    if (place.grant.expires <= static_cast<std::uint64_t>(::time(nullptr))) {
        return failure(concat("the grant of ", place.grant.name,
                              " has expired: `./thole config client` makes a new one (or this node's clock is wrong)"));
    }
    if (place.grant.role != Role::node &&
        std::ranges::find(settings_.refused, place.grant.name) != settings_.refused.end()) {
        return failure(concat("remote.refused-clients of this node names ", place.grant.name));
    }
    if (children_.size() >= kSessions) {
        return failure(concat("this node does ", kSessions, " things for others already"));
    }
    return {};
}

void Server::begin_session(Place& place, Request request) {
    const Role role = role_of_peer(place);
    std::string who = concat(place.grant.role == Role::node ? "node " : concat(role_name(place.grant.role), " "),
                             place.grant.name, " from ", address_text(place.peer));
    Status checked = check_session(place, request);
    const bool elsewhere = !place.from_mesh && !request.node.empty() && request.node != settings_.name;
    if (checked && !elsewhere) {
        checked = check_allowed(role, request.words);
    }
    Session session{place.give_socket(), Sealer(std::move(place.keys->to_client)), std::move(who), std::move(request)};
    place.clear();
    if (!checked) {
        refuse_session(session, checked.error());
        return;
    }
    const pid_t pid = ::fork();
    if (pid < 0) {
        refuse_session(session, system_error("start", "a process for it").error());
        return;
    }
    if (pid > 0) {
        children_.push_back(std::make_unique<Child>(*this, open_process(pid)));
        (void)loop_.add(children_.back()->pidfd(), EPOLLIN, *children_.back());
        return;
    }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    // What else is open here belongs to the parent, and would keep its port from whoever comes after it.
    ::dup3(session.socket.get(), 3, O_CLOEXEC);
    ::syscall(SYS_close_range, 4U, ~0U, 0U);
    (void)session.socket.release();
    session.socket = Fd(3);
    keep_alive(3);
    if (elsewhere) {
        relay_session(session, settings_.places);
    } else {
        run_session(session, settings_.places);
    }
    ::_exit(0);
}

void Server::forget(const Child& child) {
    std::erase_if(children_, [&](const auto& other) { return other.get() == &child; });
}

}  // namespace thole::remote
