// What is said after the handshake: sealed frames, counted so that none can be left out, repeated or moved. Pure.
//
// A frame is its size in two bytes, a sealed byte of its kind with its content, and a tag of 16 bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "crypto.hpp"

namespace thole::remote {

enum class FrameKind : std::uint8_t {
    request = 'q',       // client: NODE and the words of a command
    output = 'o',        // server: of the command's standard output
    error_output = 'e',  // of its standard error
    exit = 'x',          // one byte: its exit status; the last frame
    refusal = 'r',       // why there is no command; the last frame
    relayed = 'n',       // the connection is one to NODE from now on: a new handshake follows
};

struct Frame {
    FrameKind kind{};
    std::string content;
};

inline constexpr std::size_t kMostContent = 16 << 10;
inline constexpr std::size_t kFrameExtra = 2 + 1 + mesh::kTagSize;
inline constexpr std::size_t kMostFrame = kMostContent + kFrameExtra;

class Sealer {
   public:
    explicit Sealer(mesh::Secret key) : key_(std::move(key)) {}

    /// The frame as it goes over the wire. `content` has at most kMostContent bytes.
    std::string seal(FrameKind kind, std::string_view content);

   private:
    mesh::Secret key_;
    std::uint64_t count_ = 0;
};

class Opener {
   public:
    explicit Opener(mesh::Secret key) : key_(std::move(key)) {}

    /// The size of the frame at the start of `bytes`; nothing where more of it is needed, 0 where there can be no such
    /// frame.
    static std::optional<std::size_t> size_of(std::span<const std::uint8_t> bytes);

    /// Opens one whole frame. Nothing where it is not the next one of who has the key.
    std::optional<Frame> open(std::span<const std::uint8_t> frame);

   private:
    mesh::Secret key_;
    std::uint64_t count_ = 0;
};

inline constexpr std::size_t kLongestWords = 1024;
inline constexpr std::size_t kMostWords = 32;

/// What a client asks: the command's words for a node by its name.
struct Request {
    std::string node;
    std::vector<std::string> words;
};

/// The request as a frame's content. Errors: too many words, too long ones, or one with characters of control.
Result<std::string> encode_request(const Request& request);
Result<Request> decode_request(std::string_view content);

}  // namespace thole::remote
