// How nodes come to know the same, inside the tunnel: changes are told to a few others at once, and now and then two
// nodes compare digests of all that they know and exchange what differs. Every message is one datagram.
//
// Messages: the format (1 byte, 1), the kind (1), how many nodes the sender knows (2), then until the end
//   news, records  age in seconds (4), length (2), the record
//   digests        digits (1), prefix (8), count (4), digest (8)
//   versions       digits (1), prefix (8), count (1), and of all nodes in that range: prefix of the key (8), epoch (4),
//                  sequence (4), check (4)
//   want           prefix of a key (8)
//   same           nothing
//   ask            prefix of the key (8) of a node that cannot be reached
//   observed       prefix of a key (8), seconds since its last handshake (2), the endpoint
//   want_secret    nothing
//   secret         generation (4), the cluster's secret (32)
// A node answers digests by more digests, or by the versions where few nodes are in question; versions by the records
// that are newer here and a wish for those that are newer there; a wish by records.
#pragma once

#include <algorithm>

#include "members.hpp"

namespace thole::mesh {

enum class MessageKind : std::uint8_t {
    news = 1,
    records,
    digests,
    versions,
    want,
    same,
    ask,
    observed,
    want_secret,
    secret
};

/// What the protocol asks of the world around it.
class Tunnel {
   public:
    virtual ~Tunnel() = default;

    /// Sends a message to a node's mesh address. It may get lost.
    virtual void send_inside(const PublicKey& to, Bytes message) = 0;

    /// Some other node that is likely to be reached, or null.
    virtual const PublicKey* any_peer() = 0;

    /// The same in turn, so that each is heard of in time, and one that is gone is noticed.
    virtual const PublicKey* next_peer() = 0;

    /// Whether a record that came is for the table. False for this node's own, which the node itself answers.
    virtual bool admits(const RecordHead& head, Bytes content) = 0;

    /// A record is new or changed.
    virtual void on_record(const Member& member) = 0;

    /// A peer knows no more nodes than this one.
    virtual void on_agreement() = 0;

    virtual std::uint32_t random() = 0;
};

/// Figures for metrics.
struct GossipCounts {
    std::uint64_t sent = 0;
    std::uint64_t sent_bytes = 0;
    std::uint64_t bad = 0;      // messages that cannot be read
    std::uint64_t refused = 0;  // records
};

class Gossip {
   public:
    Gossip(Members& members, Tunnel& tunnel) : members_(members), tunnel_(tunnel) {}

    /// Takes a message of the kinds news to same. False: it is of no such kind.
    bool on_message(const PublicKey& from, Bytes message, Instant now);

    void tick(Instant now);
    /// Never later than the next comparison, which always comes.
    [[nodiscard]] Instant next_deadline() const { return std::min(next_news_, next_comparison_); }

    /// There is news to tell.
    void wake(Instant now);

    /// Starts a message: its head and room for the rest.
    void begin(Writer& out, MessageKind kind) const;

    /// Compares with a node that has just been met.
    void compare_with(const PublicKey& peer);

    [[nodiscard]] const GossipCounts& counts() const { return counts_; }

   private:
    friend class Answer;

    void send(const PublicKey& to, const Writer& message);
    void tell_news(Instant now);
    void tell_two(const Writer& message);
    bool on_records(Reader& in, MessageKind kind, Instant now);
    bool on_digests(const PublicKey& from, Reader& in);
    bool on_versions(const PublicKey& from, Reader& in, Instant now);
    bool on_want(const PublicKey& from, Reader& in, Instant now);

    Members& members_;
    Tunnel& tunnel_;
    GossipCounts counts_;
    Instant next_news_ = kNever;
    Instant next_comparison_{};
    std::size_t cursor_ = 0;  // where the telling of news goes on
};

}  // namespace thole::mesh
