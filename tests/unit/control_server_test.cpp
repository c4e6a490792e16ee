#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <thread>

#include "base/text.hpp"
#include "control/client.hpp"
#include "control/server.hpp"
#include "temporary_folder.hpp"

using namespace thole;

namespace {

/// A server on a socket of its own, whose loop turns only when a test says so.
class Room : public RequestHandler {
   public:
    Room() : path_(folder_.path() + "/control"), loop_(*EventLoop::make()) {
        server_ = std::move(*ControlServer::listen(path_, loop_, *this));
    }

    Result<std::string> answer(const std::vector<std::string_view>& words) override {
        ++requests;
        if (words.empty() || words[0] == "fail") {
            return failure("it does not work");
        }
        if (words[0] == "large") {
            return std::string(1 << 20, 'x');
        }
        if (words[0] == "publish") {
            server_->publish("said while answering\n");
        }
        return concat(words[0], "\n");
    }

    /// Handles all that is there to be handled.
    void turn() {
        for (int count = 0; count < 300; ++count) {
            loop_.wait(now());
        }
    }

    /// Whether the loop sleeps until its deadline instead of waking for an event.
    bool is_idle() {
        const Instant start = now();
        loop_.wait(start + Milliseconds(30));
        return now() - start >= Milliseconds(30);
    }

    Fd connect() const {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path_.copy(address.sun_path, sizeof address.sun_path - 1);
        Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        CHECK(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        return socket;
    }

    Fd ask(std::string_view text) {
        Fd socket = connect();
        send(socket, text);
        turn();
        return socket;
    }

    static void send(const Fd& socket, std::string_view text) {
        CHECK(::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
    }

    /// All that can be read now. `closed` says whether the end was reached.
    std::string read(const Fd& socket) {
        std::string text;
        std::array<char, 65'536> buffer;
        ssize_t count = 0;
        while ((count = ::read(socket.get(), buffer.data(), buffer.size())) > 0) {
            text.append(buffer.data(), static_cast<std::size_t>(count));
            turn();
        }
        closed = count == 0 || errno != EAGAIN;
        return text;
    }

    int requests = 0;
    bool closed = false;
    ControlServer& server() { return *server_; }
    EventLoop& loop() { return loop_; }
    const std::string& path() const { return path_; }

   private:
    TemporaryFolder folder_;
    std::string path_;
    EventLoop loop_;
    std::unique_ptr<ControlServer> server_;
};

/// Takes all further descriptors away for as long as it lives.
class NoDescriptors {
   public:
    explicit NoDescriptors(rlim_t least) {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        rlimit wanted{least, before_.rlim_max};
        if (least == 0) {
            const Fd next(::open("/dev/null", O_RDONLY | O_CLOEXEC));
            wanted.rlim_cur = static_cast<rlim_t>(next.get());
        }
        ::setrlimit(RLIMIT_NOFILE, &wanted);
    }
    ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
    NoDescriptors(const NoDescriptors&) = delete;
    NoDescriptors& operator=(const NoDescriptors&) = delete;

   private:
    rlimit before_{};
};

}  // namespace

TEST_CASE("server: a request is answered and the connection closed") {
    Room room;
    const Fd good = room.ask("status\n");
    CHECK(room.read(good) == "ok\nstatus\n");
    CHECK(room.closed);
    const Fd bad = room.ask("fail\n");
    CHECK(room.read(bad) == "error it does not work\n");
    const Fd empty = room.ask("\n");
    CHECK(room.read(empty) == "error it does not work\n");
    CHECK(!room.server().next_deadline());
}

TEST_CASE("server: an answer of a megabyte reaches a slow reader whole") {
    Room room;
    const Fd socket = room.ask("large\n");
    CHECK(room.read(socket).size() == (1 << 20) + 3);
    CHECK(room.closed);
    CHECK(room.requests == 1);
}

TEST_CASE("server: a request that comes letter by letter is one request") {
    Room room;
    const Fd socket = room.connect();
    for (const char letter : std::string_view("status\n")) {
        Room::send(socket, {&letter, 1});
        room.turn();
    }
    CHECK(room.read(socket) == "ok\nstatus\n");
}

TEST_CASE("server: garbage without an end gets an error, not memory") {
    Room room;
    const Fd socket = room.ask(std::string(5000, '\xFF'));
    CHECK(room.read(socket) == "error the request is too long\n");
    CHECK(room.closed);
    CHECK(room.requests == 0);
    const Fd binary = room.ask(std::string_view("\0\0\1\n", 4));
    CHECK(room.read(binary).starts_with("ok\n"));
}

TEST_CASE("server: who goes away half-way costs nothing") {
    Room room;
    room.ask("stat");
    room.turn();
    CHECK(!room.server().next_deadline());
    room.ask("large\n");  // and does not read the answer
    room.turn();
    CHECK(!room.server().next_deadline());
    CHECK(room.is_idle());
    const Fd half = room.connect();
    Room::send(half, "status\n");
    ::shutdown(half.get(), SHUT_WR);
    room.turn();
    CHECK(room.read(half) == "ok\nstatus\n");
}

TEST_CASE("server: who says nothing or reads nothing is closed after a few seconds") {
    Room room;
    const Fd silent = room.connect();
    const Fd deaf = room.ask("large\n");
    room.turn();
    REQUIRE(room.server().next_deadline());
    CHECK(room.is_idle());
    CHECK(*room.server().next_deadline() <= now() + Milliseconds(5000));
    room.server().on_time(now() + Milliseconds(10'000));
    CHECK(!room.server().next_deadline());
    CHECK(room.read(silent).empty());
    CHECK(room.closed);
    CHECK(room.read(deaf).size() < (1 << 20));
    CHECK(room.closed);
}

TEST_CASE("server: a flood waits in the kernel's queue, and all are answered at last") {
    Room room;
    std::vector<Fd> silent;
    for (std::size_t count = 0; count < ControlServer::kMostRequests; ++count) {
        silent.push_back(room.connect());
    }
    room.turn();
    const Fd late = room.ask("status\n");
    CHECK(room.read(late).empty());
    CHECK(!room.closed);
    CHECK(room.is_idle());
    silent.pop_back();
    room.turn();
    CHECK(room.read(late) == "ok\nstatus\n");
}

TEST_CASE("server: without descriptors a caller is refused and nothing spins") {
    Room room;
    const Fd first = room.connect();
    const Fd second = room.connect();
    {
        const NoDescriptors none(0);
        room.turn();
        CHECK(room.read(first) == "error PID 1 has no descriptor left for this request\n");
        CHECK(room.closed);
        CHECK(room.read(second) == "error PID 1 has no descriptor left for this request\n");
        CHECK(room.is_idle());
    }
    const Fd third = room.ask("status\n");
    CHECK(room.read(third) == "ok\nstatus\n");
}

TEST_CASE("server: where not even the spare descriptor helps it waits, and goes on later") {
    Room room;
    const Fd caller = room.connect();
    Room::send(caller, "status\n");
    {
        const NoDescriptors none(3);
        room.turn();
        CHECK(room.is_idle());
        REQUIRE(room.server().next_deadline());
        room.server().on_time(*room.server().next_deadline());
        room.turn();
        CHECK(room.is_idle());
    }
    room.server().on_time(*room.server().next_deadline());
    room.turn();
    CHECK(room.read(caller) == "ok\nstatus\n");
}

TEST_CASE("events: readers get every line, also what is said while a request is answered") {
    Room room;
    const Fd one = room.ask("events\n");
    const Fd other = room.ask("events\n");
    CHECK(room.server().has_readers());
    CHECK(room.read(one) == "ok\n");
    CHECK(!room.server().next_deadline());  // readers stay
    room.server().publish("1\ta\tready\t\n");
    room.ask("publish\n");
    CHECK(room.read(one) == "1\ta\tready\t\nsaid while answering\n");
    CHECK(!room.closed);
    CHECK(room.read(other) == "ok\n1\ta\tready\t\nsaid while answering\n");
    CHECK(room.requests == 1);
}

TEST_CASE("events: a reader that goes away is forgotten; one that only stops sending reads on") {
    Room room;
    {
        const Fd gone = room.ask("events\n");
        const Fd half = room.ask("events\n");
        ::shutdown(half.get(), SHUT_WR);
        room.turn();
        CHECK(room.is_idle());
        room.server().publish("line\n");
        CHECK(room.read(half) == "ok\nline\n");
    }
    room.turn();
    CHECK(!room.server().has_readers());
    CHECK(room.is_idle());
    const Fd chatty = room.ask("events\n");
    Room::send(chatty, "and more\n");
    room.turn();
    CHECK(!room.server().has_readers());
    room.server().publish("line\n");
}

TEST_CASE("events: one that does not read is dropped, and the others read on") {
    Room room;
    const Fd deaf = room.ask("events\n");
    const Fd good = room.ask("events\n");
    const std::string line(1000, 'x');
    std::size_t read = 0;
    for (int count = 0; count < 1000; ++count) {
        room.server().publish(line + "\n");
        read += room.read(good).size();
    }
    CHECK(read == 3 + 1000 * 1001);
    CHECK(room.read(deaf).size() < read);
    CHECK(room.closed);
    CHECK(room.server().has_readers());
    CHECK(room.is_idle());
}

TEST_CASE("events: readers are limited, and take no place of a request") {
    Room room;
    std::vector<Fd> readers;
    for (std::size_t count = 0; count < ControlServer::kMostReaders; ++count) {
        readers.push_back(room.ask("events\n"));
    }
    const Fd more = room.ask("events\n");
    CHECK(room.read(more).starts_with("error events are being read by 16"));
    const Fd request = room.ask("status\n");
    CHECK(room.read(request) == "ok\nstatus\n");
    readers.pop_back();
    room.turn();
    const Fd again = room.ask("events\n");
    CHECK(room.read(again) == "ok\n");
}

TEST_CASE("client: requests, refusals and events, against a real server") {
    Room room;
    std::string body;
    std::string error;
    UnitEvent event;
    bool over = false;
    std::thread person([&] {
        body = ask_pid1("status", room.path()).value_or("");
        error = ask_pid1("fail", room.path()).error().message;
        auto events = EventStream::open(room.path());
        (void)ask_pid1("ready-for-it", room.path());
        event = events->next().value_or(UnitEvent{});
        over = !events->next();
    });
    while (room.requests < 3) {
        room.loop().wait(now() + Milliseconds(1000));
    }
    room.turn();
    room.server().publish(encode(UnitEvent{7, "kubelet", "ready", ""}));
    for (std::size_t sent = 0; room.server().has_readers(); sent += 1000) {
        CHECK(sent < (std::size_t{1} << 24));
        room.server().publish(std::string(999, 'x') + "\n");  // not an event: the client gives up
        room.loop().wait(now());
    }
    person.join();
    CHECK(body == "status\n");
    CHECK(error == "it does not work");
    CHECK(event.at == 7);
    CHECK(event.name == "kubelet");
    CHECK(over);
    CHECK(ask_pid1("status", "/nonexistent/socket").error().message.find("cannot reach PID 1") == 0);
}
