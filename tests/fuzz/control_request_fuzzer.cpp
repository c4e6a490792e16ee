// PID 1's end of the control socket, over a real socket: requests of any content, in pieces of any size. The first byte
// says how long the pieces are, the second how long the answers.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "control/protocol.hpp"
#include "control/server.hpp"
#include "input.hpp"

namespace {

using namespace thole;

/// Answers with a text of a given length, or with an error where the request has no words.
class Answers : public RequestHandler {
   public:
    Result<std::string> answer(const std::vector<std::string_view>& words) override {
        ++requests;
        for (const std::string_view word : words) {
            expect(!word.empty() && word.find_first_of(" \t\r\n") == std::string_view::npos);
        }
        return words.empty() ? Result<std::string>(failure("no words")) : std::string(length, 'x');
    }

    std::size_t length = 0;
    std::size_t requests = 0;
};

struct Rig {
    std::string path;
    EventLoop loop;
    Answers answers;
    std::unique_ptr<ControlServer> server;
};

/// The server, made once, on a socket in a folder that goes with the process.
Rig& rig() {
    static Rig* const kMade = [] {
        char folder[] = "/tmp/thole-fuzz-XXXXXX";
        expect(::mkdtemp(folder) != nullptr);
        auto loop = EventLoop::make();
        expect(loop.has_value());
        static Rig rig{concat(folder, "/control"), std::move(*loop), {}, nullptr};
        auto server = ControlServer::listen(rig.path, rig.loop, rig.answers);
        expect(server.has_value());
        rig.server = std::move(*server);
        std::atexit([] {
            ::unlink(rig.path.c_str());
            ::rmdir(rig.path.substr(0, rig.path.rfind('/')).c_str());
        });
        return &rig;
    }();
    return *kMade;
}

Fd connect_to(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    Fd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    expect(client && ::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    return client;
}

/// Reads what there is; false when the server has closed.
bool read_some(int client, std::string& out) {
    std::array<char, 4096> buffer;
    const ssize_t count = ::read(client, buffer.data(), buffer.size());
    if (count > 0) {
        out.append(buffer.data(), static_cast<std::size_t>(count));
    }
    return count != 0 && (count > 0 || errno == EAGAIN);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) {
        return 0;
    }
    Rig& here = rig();
    const std::size_t piece = std::max<std::size_t>(1, std::size_t{data[0]} * 8);
    here.answers.length = std::size_t{data[1]} * 64;
    here.answers.requests = 0;
    std::string_view request = text_of(data + 2, size - 2);
    const auto end = request.find('\n');
    const bool whole = end < kLongestRequest;
    std::string answer;
    {
        const Fd client = connect_to(here.path);
        here.loop.wait(now());
        bool open = true;
        while (open && !request.empty()) {
            const auto part = request.substr(0, piece);
            request.remove_prefix(part.size());
            open = ::send(client.get(), part.data(), part.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(part.size());
            here.loop.wait(now());
        }
        ::shutdown(client.get(), SHUT_WR);
        // Readers of events are never closed by the server, so there is an end to this.
        open = true;
        for (int turn = 0; open && turn < 64; ++turn) {
            here.loop.wait(now());
            open = read_some(client.get(), answer);
        }
    }
    here.loop.wait(now());
    here.loop.wait(now());
    // Nobody is left in the server: the next input would find its places taken.
    expect(!here.server->next_deadline());
    expect(here.answers.requests <= 1);
    expect(answer.empty() || answer.starts_with("ok\n") || answer.starts_with("error "));
    expect(!whole || !answer.empty());
    return 0;
}
