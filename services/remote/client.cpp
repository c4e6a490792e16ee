#include "client.hpp"

#include <algorithm>
#include <limits>
#include <memory>

#include "base/text.hpp"
#include "handshake.hpp"
#include "wires.hpp"

namespace thole::remote {

namespace {

constexpr Milliseconds kConnectTime{10'000};
constexpr Milliseconds kAnswerTime{10'000};
constexpr Instant kEver{std::numeric_limits<std::int64_t>::max() / 2};

struct Channel {
    Sealer sealer;
    Opener opener;
};

Result<Channel> shake_hands(const Identity& identity, int socket) {
    const auto random = random_block();
    if (!random) {
        return std::unexpected(random.error());
    }
    const Hello hello = make_hello(identity, *random);
    const Instant deadline = now() + kAnswerTime;
    const std::string_view bytes(reinterpret_cast<const char*>(hello.bytes.data()), hello.bytes.size());
    if (auto sent = send_all(socket, bytes, deadline); !sent) {
        return std::unexpected(sent.error());
    }
    AnswerBytes answer{};
    if (auto received = receive_all(socket, answer, deadline, "the node"); !received) {
        return failure(concat(received.error().message, ": it knows nothing of '", identity.grant.name,
                              "' (another cluster, a secret that was changed, or no node at all)"));
    }
    auto keys = take_answer(hello, identity.key, answer);
    if (!keys) {
        return failure("what answers there is no node of this cluster");
    }
    return Channel{Sealer(std::move(keys->to_server)), Opener(std::move(keys->to_client))};
}

Result<Frame> receive_frame(Channel& channel, int socket, Instant deadline) {
    std::vector<std::uint8_t> frame(2);
    if (auto received = receive_all(socket, frame, deadline, "the node"); !received) {
        return std::unexpected(received.error());
    }
    const std::size_t size = static_cast<std::size_t>(frame[0]) << 8U | frame[1];
    if (size < 1 || size > 1 + kMostContent) {
        return failure("the node's answer is not one of this kind");
    }
    frame.resize(2 + size + mesh::kTagSize);
    if (auto received = receive_all(socket, std::span(frame).subspan(2), deadline, "the node"); !received) {
        return std::unexpected(received.error());
    }
    auto opened = channel.opener.open(frame);
    return opened ? Result<Frame>(std::move(*opened)) : failure("somebody changed the node's answer on its way");
}

/// What one connection to a node came to.
struct Outcome {
    bool relayed = false;
    int status = 0;
};

Result<Outcome> converse(const Identity& identity, int socket, std::string_view content, const Output& output) {
    auto channel = shake_hands(identity, socket);
    if (!channel) {
        return std::unexpected(channel.error());
    }
    if (auto sent = send_all(socket, channel->sealer.seal(FrameKind::request, content), now() + kAnswerTime); !sent) {
        return std::unexpected(sent.error());
    }
    while (true) {
        auto frame = receive_frame(*channel, socket, kEver);
        if (!frame) {
            return with_context("the command was not seen to end", frame.error());
        }
        switch (frame->kind) {
            case FrameKind::output:
            case FrameKind::error_output: output(frame->kind, frame->content); break;
            case FrameKind::exit:
                return Outcome{false, frame->content.empty() ? 1 : static_cast<unsigned char>(frame->content[0])};
            case FrameKind::refusal: return failure(frame->content);
            case FrameKind::relayed: return Outcome{true, 0};
            default: return failure("the node says something that this program does not know");
        }
    }
}

}  // namespace

Result<int> ask_node(const Identity& identity, const SocketAddress& address, std::string_view device,
                     const Request& request, const Output& output) {
    const auto content = encode_request(request);
    if (!content) {
        return std::unexpected(content.error());
    }
    const auto socket = connect_to(address, device, now() + kConnectTime);
    if (!socket) {
        return std::unexpected(socket.error());
    }
    auto outcome = converse(identity, socket->get(), *content, output);
    if (outcome && outcome->relayed) {
        // The node that was asked only hands bytes on now, and cannot read them.
        outcome = converse(identity, socket->get(), *content, output);
        if (outcome && outcome->relayed) {
            return failure(concat("the way to '", request.node, "' has no end"));
        }
    }
    return outcome ? Result<int>(outcome->status) : std::unexpected(outcome.error());
}

}  // namespace thole::remote
