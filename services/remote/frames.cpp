#include "frames.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace thole::remote {

namespace {

constexpr std::size_t kHead = 2;

using Nonce = std::array<std::uint8_t, mesh::kNonceSize>;

/// Each key is for one direction of one connection, so a number that grows is new each time.
Nonce nonce_of(std::uint64_t count) {
    Nonce nonce{};
    for (std::size_t index = 0; index < 8; ++index) {
        nonce[nonce.size() - 1 - index] = static_cast<std::uint8_t>(count >> (8 * index));
    }
    return nonce;
}

/// How much is sealed, from a frame's first two bytes.
std::size_t sealed_size(std::span<const std::uint8_t> bytes) {
    return static_cast<std::size_t>(bytes[0]) << 8U | bytes[1];
}

Status check_request(const Request& request) {
    std::size_t size = request.node.size();
    if (request.words.empty() || request.words.size() > kMostWords) {
        return failure(concat("a command has 1 to ", kMostWords, " words, this one ", request.words.size()));
    }
    const auto is_plain = [](std::string_view word) {
        return std::ranges::none_of(
            word, [](char letter) { return static_cast<unsigned char>(letter) < 0x20 || letter == 0x7F; });
    };
    bool plain = is_plain(request.node);
    for (const std::string& word : request.words) {
        size += word.size() + 1;
        plain = plain && !word.empty() && is_plain(word);
    }
    if (!plain) {
        return failure("a word of the command is empty or has characters of control in it");
    }
    if (size > kLongestWords) {
        return failure(concat("the command is ", size, " bytes long; the most is ", kLongestWords));
    }
    return {};
}

}  // namespace

std::string Sealer::seal(FrameKind kind, std::string_view content) {
    const std::size_t size = 1 + std::min(content.size(), kMostContent);
    std::string frame;
    frame.reserve(kHead + size + mesh::kTagSize);
    frame += static_cast<char>(size >> 8U);
    frame += static_cast<char>(size & 0xFFU);
    frame += static_cast<char>(kind);
    frame += content.substr(0, kMostContent);
    auto* const bytes = reinterpret_cast<std::uint8_t*>(frame.data());
    const auto tag = mesh::seal(key_, nonce_of(count_++), {bytes, kHead}, {bytes + kHead, size});
    frame.append(reinterpret_cast<const char*>(tag.data()), tag.size());
    return frame;
}

std::optional<std::size_t> Opener::size_of(std::span<const std::uint8_t> bytes) {
    if (bytes.size() < kHead) {
        return std::nullopt;
    }
    const std::size_t size = sealed_size(bytes);
    if (size < 1 || size > 1 + kMostContent) {
        return 0;
    }
    const std::size_t whole = kHead + size + mesh::kTagSize;
    return bytes.size() < whole ? std::nullopt : std::optional(whole);
}

std::optional<Frame> Opener::open(std::span<const std::uint8_t> frame) {
    if (size_of(frame) != frame.size()) {
        return std::nullopt;
    }
    const std::size_t size = sealed_size(frame);
    std::string text(reinterpret_cast<const char*>(frame.data()) + kHead, size);
    const std::span<std::uint8_t> sealed(reinterpret_cast<std::uint8_t*>(text.data()), size);
    if (!mesh::open(key_, nonce_of(count_), frame.first(kHead), sealed, frame.last<mesh::kTagSize>())) {
        return std::nullopt;
    }
    ++count_;
    const auto kind = static_cast<FrameKind>(text[0]);
    return Frame{kind, text.erase(0, 1)};
}

Result<std::string> encode_request(const Request& request) {
    if (auto checked = check_request(request); !checked) {
        return std::unexpected(checked.error());
    }
    std::string content = request.node;
    for (const std::string& word : request.words) {
        content += '\0';
        content += word;
    }
    return content;
}

Result<Request> decode_request(std::string_view content) {
    if (content.size() > kLongestWords) {
        return failure("the request is too long");
    }
    const auto pieces = split(content, '\0');
    Request request{std::string(pieces[0]), {}};
    for (std::size_t at = 1; at < pieces.size() && at <= kMostWords + 1; ++at) {
        request.words.emplace_back(pieces[at]);
    }
    auto checked = check_request(request);
    return checked ? Result<Request>(std::move(request)) : std::unexpected(checked.error());
}

}  // namespace thole::remote
