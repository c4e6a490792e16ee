// The server of `thole -n` in a process of its own, and its clients, over the loopback device.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <string>

#include "base/text.hpp"
#include "client.hpp"
#include "handshake.hpp"
#include "os/file.hpp"
#include "server.hpp"
#include "temporary_folder.hpp"
#include "wires.hpp"

using namespace thole;
using namespace thole::remote;

namespace {

constexpr Milliseconds kPatience{10'000};
constexpr Milliseconds kProofTime{500};  // enough for a conversation on a busy machine

mesh::ClusterSecret secret(std::uint8_t seed = 1) {
    mesh::Block bytes{};
    bytes.fill(seed);
    return mesh::ClusterSecret(bytes);
}

Identity client(Role role, std::string name = "alice", std::uint64_t expires = kNever, std::uint8_t seed = 1) {
    Grant grant{{}, role, expires, std::move(name)};
    mesh::Secret key = grant_key(secret(seed), grant);
    return {std::move(grant), std::move(key), {}};
}

/// In place of `thole`: says its words, and does what the last one asks for.
constexpr std::string_view kProgram = R"(#!/bin/sh
echo "$0: $*"
echo "to standard error" >&2
for word; do :; done
case $word in
    big) head -c 300000 /dev/zero | tr '\0' x;;
    -f) echo $$ > "$(dirname "$0")/pid"; echo following; sleep 1000;;
    seven) exit 7;;
    environment) env;;
esac
)";

struct Ends {
    pid_t pid = -1;
    std::uint16_t port = 0;
};

struct Wishes {
    Role nodes = Role::read_only;
    bool outside = true;
    std::vector<std::string> refused = {};
    std::string device = "lo";  // empty: no listener for the mesh
    std::string hosts = {};
    std::string mesh = "fd00:1::/64";  // nobody on the loopback device
    std::uint16_t port = 0;
};

class Rig {
   public:
    explicit Rig(const Wishes& wishes = Wishes{}) {
        REQUIRE(replace_file(program(), kProgram, 0700));
        REQUIRE(replace_file(folder_.path() + "/hosts", wishes.hosts, 0600));
        int ends[2];
        REQUIRE(::pipe(ends) == 0);
        pid_ = ::fork();
        if (pid_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            serve(wishes, ends[1]);
        }
        ::close(ends[1]);
        REQUIRE(::read(ends[0], &port_, sizeof port_) == sizeof port_);
        ::close(ends[0]);
    }
    ~Rig() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    Rig(const Rig&) = delete;
    Rig& operator=(const Rig&) = delete;

    struct Said {
        std::optional<int> status;
        std::string error;
        std::string output;
        std::string errors;
    };

    [[nodiscard]] SocketAddress address(std::string_view host = "127.0.0.1") const {
        return socket_address(*parse_address(host), port_);
    }

    [[nodiscard]] Said ask(const Identity& who, std::vector<std::string> words, std::string node = "here") const {
        Said said;
        const auto status = ask_node(who, address(), {}, {std::move(node), std::move(words)},
                                     [&](FrameKind stream, std::string_view text) {
                                         (stream == FrameKind::output ? said.output : said.errors) += text;
                                     });
        if (status) {
            said.status = *status;
        } else {
            said.error = status.error().message;
        }
        return said;
    }

    [[nodiscard]] Fd connect() const { return std::move(*connect_to(address(), {}, now() + kPatience)); }
    [[nodiscard]] std::string program() const { return folder_.path() + "/thole"; }
    [[nodiscard]] std::string log() const { return read_file(folder_.path() + "/log").value_or(""); }
    [[nodiscard]] std::uint16_t port() const { return port_; }
    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] const std::string& folder() const { return folder_.path(); }

   private:
    [[noreturn]] void serve(const Wishes& wishes, int ready) const {
        auto log = open_file(folder_.path() + "/log", O_WRONLY | O_CREAT | O_APPEND, 0600);
        ::dup2(log->get(), STDERR_FILENO);
        ServerSettings settings;
        settings.secrets.push_back(secret());
        settings.secrets.push_back(secret(2));
        settings.refused = wishes.refused;
        settings.name = "here";
        settings.nodes = wishes.nodes;
        settings.outside = wishes.outside ? std::optional(*parse_address("127.0.0.1")) : std::nullopt;
        settings.proof_time = kProofTime;
        settings.places.program = program();
        settings.places.hosts = folder_.path() + "/hosts";
        settings.places.device = wishes.device;
        settings.places.range = *parse_network(wishes.mesh);
        settings.places.port = wishes.port;
        settings.mesh_ranges.push_back(settings.places.range);
        auto loop = EventLoop::make();
        Server server(*loop, std::move(settings));
        const auto opened = server.open();
        std::uint16_t port = !opened ? 0 : wishes.outside ? server.outside_port() : wishes.port;
        (void)::write(ready, &port, sizeof port);
        ::close(ready);
        while (port != 0) {
            loop->wait(server.next_deadline());
            server.on_time();
        }
        ::_exit(1);
    }

    TemporaryFolder folder_;
    pid_t pid_ = -1;
    std::uint16_t port_ = 0;
};

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

/// Waits until the peer has closed; what it sent before is counted.
std::size_t read_to_end(const Fd& socket) {
    std::size_t size = 0;
    std::array<char, 4096> buffer;
    const Instant deadline = now() + kPatience;
    while (now() < deadline) {
        pollfd waiting{socket.get(), POLLIN, 0};
        (void)::poll(&waiting, 1, 1000);
        const ssize_t count = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
        if (count == 0 || (count < 0 && errno == ECONNRESET)) {
            return size;
        }
        size += count > 0 ? static_cast<std::size_t>(count) : 0;
    }
    FAIL("the server did not close");
    return size;
}

std::string_view text_of(mesh::Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// A port that was free a moment ago.
std::uint16_t free_port() {
    const Fd socket(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in6 any{};
    any.sin6_family = AF_INET6;
    socklen_t size = sizeof any;
    if (!socket || ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&any), size) != 0) {
        return 0;
    }
    ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&any), &size);
    return ntohs(any.sin6_port);
}

}  // namespace

TEST_CASE("remote: a command, both of its streams and its exit status") {
    const Rig rig;
    const auto said = rig.ask(client(Role::read_only), {"status", "two words", "seven"});
    CHECK(said.error == "");
    CHECK(said.status == 7);
    CHECK(contains(said.output, ": status two words seven\n"));
    CHECK(said.errors == "to standard error\n");
    CHECK(rig.ask(client(Role::read_only), {"status", "big"}).output.size() > 300'000);
    CHECK(contains(rig.log(), "read-only alice from 127.0.0.1: status two words seven: begins\n"));
    CHECK(contains(rig.log(), "exit status 7 after"));
}

TEST_CASE("remote: the command's environment says nothing of ours") {
    ::setenv("CANARY", "canary", 1);
    const Rig rig;
    const auto said = rig.ask(client(Role::read_only), {"status", "environment"});
    CHECK(contains(said.output, "PATH="));
    CHECK_FALSE(contains(said.output, "canary"));
}

TEST_CASE("remote: who is refused, and why") {
    const Rig rig({.refused = {"mallory"}});
    CHECK(contains(rig.ask(client(Role::read_only), {"reboot"}).error, "needs the role admin"));
    CHECK(rig.ask(client(Role::admin), {"reboot"}).status == 0);
    CHECK(contains(rig.ask(client(Role::admin), {"lint", "/"}).error, "is not done for other machines"));
    CHECK(contains(rig.ask(client(Role::admin, "bob", 1'600'000'000), {"status"}).error, "has expired"));
    CHECK(contains(rig.ask(client(Role::admin, "mallory"), {"status"}).error, "names mallory"));
    CHECK(rig.ask(client(Role::admin, "carol", kNever, 2), {"status"}).status == 0);  // the secret before
    CHECK(contains(rig.ask(client(Role::admin, "dave", kNever, 3), {"status"}).error, "it knows nothing of 'dave'"));
    // A node's own grant counts by the mesh only.
    CHECK(contains(rig.ask(node_identity(secret(), "n1"), {"status"}).error, "it knows nothing of 'n1'"));
    CHECK(contains(rig.log(), "admin mallory from 127.0.0.1: status: refused: "));
    CHECK(contains(rig.log(), "could not prove a grant"));
}

TEST_CASE("remote: strangers get no word, and make no room scarce") {
    const Rig rig;
    const Fd garbage = rig.connect();
    REQUIRE(send_all(garbage.get(), std::string(kHelloSize, 'x'), now() + kPatience));
    CHECK(read_to_end(garbage) == 0);
    std::vector<Fd> silent;
    for (std::size_t count = 0; count < 2 * Server::kPlaces; ++count) {
        silent.push_back(rig.connect());
    }
    CHECK(rig.ask(client(Role::read_only), {"status"}).status == 0);
    CHECK(read_to_end(silent.front()) == 0);
    CHECK(read_to_end(silent.back()) == 0);  // by time
}

TEST_CASE("remote: a repeated conversation comes to nothing") {
    const Rig rig;
    const Identity alice = client(Role::admin);
    const Hello hello = make_hello(alice, *random_block());
    const auto content = encode_request({"here", {"status"}});
    const auto talk = [&](std::string_view request) {
        const Fd socket = rig.connect();
        AnswerBytes bytes{};
        REQUIRE(send_all(socket.get(), text_of(hello.bytes), now() + kPatience));
        REQUIRE(receive_all(socket.get(), bytes, now() + kPatience, "it"));
        std::string sealed(request);
        if (sealed.empty()) {
            auto keys = take_answer(hello, alice.key, bytes);
            REQUIRE(keys);
            sealed = Sealer(std::move(keys->to_server)).seal(FrameKind::request, *content);
        }
        REQUIRE(send_all(socket.get(), sealed, now() + kPatience));
        return std::pair(sealed, read_to_end(socket));
    };
    const auto [sealed, size] = talk({});
    CHECK(size > 0);
    CHECK(talk(sealed).second == 0);
    // A request with a changed byte, and one that is cut short or longer than any.
    std::string changed = sealed;
    changed.back() = static_cast<char>(changed.back() ^ 1);
    CHECK(talk(changed).second == 0);
    CHECK(talk(sealed.substr(0, 10)).second == 0);
    CHECK(talk(concat("\xFF\xFF", std::string(4000, 'x'))).second == 0);
}

TEST_CASE("remote: the command ends when its client goes away") {
    const Rig rig;
    const pid_t asking = ::fork();
    if (asking == 0) {
        (void)rig.ask(client(Role::read_only), {"logs", "-f"});
        ::_exit(0);
    }
    const std::string file = rig.folder() + "/pid";
    const Instant deadline = now() + kPatience;
    std::string text;
    while (text.empty() && now() < deadline) {
        text = std::string(trim(read_file(file).value_or("")));
        ::poll(nullptr, 0, 10);
    }
    const auto command = parse_integer(text, 1, 1 << 22);
    REQUIRE(command);
    const Process process = open_process(static_cast<pid_t>(*command));
    REQUIRE(process);
    ::kill(asking, SIGKILL);
    ::waitpid(asking, nullptr, 0);
    pollfd ended{process.pidfd.get(), POLLIN, 0};
    CHECK(::poll(&ended, 1, static_cast<int>(kPatience.count())) == 1);
}

TEST_CASE("remote: by the mesh, as a node; and handed on by one node to another") {
    // All of the loopback device stands for the mesh: ::1 is there.
    const std::uint16_t port = free_port();
    const Rig inside({.outside = false, .mesh = "::/64", .port = port});
    const auto by_mesh = [&](const Identity& who, std::vector<std::string> words) {
        const auto status = ask_node(who, inside.address("::1"), "lo", {"anything", std::move(words)},
                                     [](FrameKind, std::string_view) {});
        return status ? concat("status ", *status) : status.error().message;
    };
    CHECK(by_mesh(node_identity(secret(), "n1"), {"status"}) == "status 0");
    CHECK(contains(by_mesh(node_identity(secret(), "n1"), {"reboot"}), "needs the role admin"));
    // By way of a node a client may do no more than nodes may.
    CHECK(contains(by_mesh(client(Role::admin), {"reboot"}), "needs the role admin"));
    CHECK(contains(inside.log(), "node n1 from ::1: status: begins"));

    // The endpoint listens outside at a port of its own, and hands on to that of the mesh.
    const Rig endpoint({.device = "", .hosts = "::1 there\n127.0.0.1 elsewhere\n", .mesh = "::/64", .port = port});
    const auto said = endpoint.ask(client(Role::read_only), {"status", "seven"}, "there");
    CHECK(said.error == "");
    CHECK(said.status == 7);
    CHECK(contains(inside.log(), "read-only alice from ::1: status seven: begins"));
    CHECK(contains(endpoint.log(), "handed on to there"));
    CHECK(contains(endpoint.ask(client(Role::read_only), {"status"}, "thare").error, "did you mean 'there'?"));
}

TEST_CASE("remote: nodes that may do nothing") {
    const Rig inside({.nodes = Role::none, .outside = false, .mesh = "::/64", .port = free_port()});
    const auto status = ask_node(node_identity(secret(), "n1"), inside.address("::1"), "lo", {"x", {"status"}},
                                 [](FrameKind, std::string_view) {});
    REQUIRE_FALSE(status);
    CHECK(contains(status.error().message, "is not done for other machines"));
}
