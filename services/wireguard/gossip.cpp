#include "gossip.hpp"

namespace thole::mesh {

namespace {

constexpr std::uint8_t kFormat = 1;
constexpr std::size_t kRecordHead = 6;
constexpr std::size_t kDigestSize = 21;
constexpr std::size_t kRangeHead = 10;
constexpr std::size_t kVersionSize = 20;

constexpr milliseconds kNewsRound{500};
constexpr std::size_t kMessagesInRound = 4;  // each goes to two peers
constexpr std::uint8_t kPeersTold = 2;
constexpr std::uint32_t kComparison = 10'000;  // ms; half of it to one and a half
constexpr milliseconds kComparisonGoesOn{300};

/// Up to so many nodes of a range are listed, beyond it is parted.
constexpr std::size_t kListed = 24;
/// Most datagrams of one kind in answer to one.
constexpr std::size_t kMostRecordMessages = 16;
constexpr std::size_t kMostDigestMessages = 4;
constexpr unsigned kMostDigits = 15;

std::uint32_t short_check(const Member& member) { return static_cast<std::uint32_t>(member.check >> 32U); }

/// A line of a versions message.
struct Listed {
    std::uint64_t prefix = 0;
    Version version;
    std::uint32_t check = 0;

    [[nodiscard]] bool newer_than(const Member& member) const {
        const Version known = member.record().version();
        return version != known ? version > known : check > short_check(member);
    }
    [[nodiscard]] bool older_than(const Member& member) const {
        const Version known = member.record().version();
        return version != known ? version < known : check < short_check(member);
    }
};

/// A part of a versions message: all that the sender knows in a range.
struct VersionList {
    KeyRange range;
    std::array<Listed, kLongestMessage / kVersionSize> entries;
    std::size_t count = 0;

    [[nodiscard]] std::span<const Listed> all() const { return std::span(entries).first(count); }

    /// False where it is not in `in`, or is not of its range.
    bool read(Reader& in);

    /// Whether the sender has this record, or a newer one.
    [[nodiscard]] bool has(const Member& member) const {
        const std::uint64_t prefix = key_prefix(member.key());
        const auto entry = std::ranges::find(all(), prefix, &Listed::prefix);
        return entry != all().end() && !entry->older_than(member);
    }
};

KeyRange read_range(Reader& in) {
    KeyRange range;
    range.digits = static_cast<std::uint8_t>(std::min<std::uint64_t>(in.number(1), kMostDigits));
    range.prefix = in.number(8);
    if (range.digits == 0) {
        range.prefix = 0;
    } else {
        range.prefix &= ~std::uint64_t{0} << (64U - 4U * range.digits);
    }
    return range;
}

bool VersionList::read(Reader& in) {
    range = read_range(in);
    count = static_cast<std::size_t>(in.number(1));
    if (count > entries.size()) {
        return false;
    }
    for (Listed& one : std::span(entries).first(count)) {
        one.prefix = in.number(8);
        one.version.epoch = static_cast<std::uint32_t>(in.number(4));
        one.version.sequence = static_cast<std::uint32_t>(in.number(4));
        one.check = static_cast<std::uint32_t>(in.number(4));
        if (!range.contains(one.prefix)) {
            return false;
        }
    }
    return !in.failed();
}

}  // namespace

/// Messages of one kind to one node: as many as it takes, up to a limit.
class Answer {
   public:
    Answer(Gossip& gossip, const PublicKey& to, MessageKind kind, std::size_t most)
        : gossip_(gossip), to_(to), kind_(kind), left_(most) {
        gossip_.begin(out_, kind_);
    }
    Answer(const Answer&) = delete;
    Answer& operator=(const Answer&) = delete;
    ~Answer() { flush(); }

    /// Room for `size` more bytes, or null where the limit is reached.
    Writer* room(std::size_t size) {
        if (out_.left() < size) {
            flush();
        }
        return left_ == 0 ? nullptr : &out_;
    }

    void add_record(const Member& member, Instant now) {
        if (Writer* const out = room(kRecordHead + member.content().size())) {
            write(*out, member, now);
        }
    }

    void add_digest(const KeyRange& range, const RangeDigest& sum) {
        if (Writer* const out = room(kDigestSize)) {
            out->number(range.digits, 1);
            out->number(range.prefix, 8);
            out->number(sum.count, 4);
            out->number(sum.digest, 8);
        }
    }

    void add_versions(const KeyRange& range, std::span<const MemberPointer> members) {
        Writer* const out = room(kRangeHead + members.size() * kVersionSize);
        if (out == nullptr) {
            return;
        }
        out->number(range.digits, 1);
        out->number(range.prefix, 8);
        out->number(members.size(), 1);
        for (const auto& member : members) {
            const Version version = member->record().version();
            out->number(key_prefix(member->key()), 8);
            out->number(version.epoch, 4);
            out->number(version.sequence, 4);
            out->number(short_check(*member), 4);
        }
    }

    static void write(Writer& out, const Member& member, Instant now) {
        // Rounded up, so that handing it on never makes it younger.
        out.number(static_cast<std::uint64_t>((now - member.issued).count() + 999) / 1000, 4);
        out.number(member.content().size(), 2);
        out.bytes(member.content());
    }

   private:
    void flush() {
        if (out_.size() > kHead && left_ > 0) {
            gossip_.send(to_, out_);
            --left_;
        }
        out_ = Writer(buffer_);
        gossip_.begin(out_, kind_);
    }

    static constexpr std::size_t kHead = 4;

    Gossip& gossip_;
    PublicKey to_;
    MessageKind kind_;
    std::size_t left_;
    std::array<std::uint8_t, kLongestMessage> buffer_;
    Writer out_{buffer_};
};

void Gossip::begin(Writer& out, MessageKind kind) const {
    out.number(kFormat, 1);
    out.number(static_cast<std::uint8_t>(kind), 1);
    out.number(members_.all().size(), 2);
}

void Gossip::send(const PublicKey& to, const Writer& message) {
    ++counts_.sent;
    counts_.sent_bytes += message.size();
    tunnel_.send_inside(to, message.written());
}

void Gossip::wake(Instant now) {
    if (next_news_ == kNever) {
        next_news_ = now + milliseconds(50 + tunnel_.random() % 100);
    }
}

void Gossip::tick(Instant now) {
    if (now >= next_news_) {
        next_news_ = kNever;
        tell_news(now);
    }
    if (now >= next_comparison_) {
        next_comparison_ = now + milliseconds(kComparison / 2 + tunnel_.random() % kComparison);
        if (const PublicKey* const peer = tunnel_.next_peer()) {
            compare_with(*peer);
        }
    }
}

void Gossip::compare_with(const PublicKey& peer) {
    std::array<std::uint8_t, 64> buffer;
    Writer out(buffer);
    begin(out, MessageKind::digests);
    const RangeDigest all = members_.digest({});
    out.number(0, 1);
    out.number(0, 8);
    out.number(all.count, 4);
    out.number(all.digest, 8);
    send(peer, out);
}

void Gossip::tell_two(const Writer& message) {
    for (std::uint8_t copy = 0; copy < kPeersTold; ++copy) {
        if (const PublicKey* const peer = tunnel_.any_peer()) {
            send(*peer, message);
        }
    }
}

void Gossip::tell_news(Instant now) {
    if (tunnel_.any_peer() == nullptr) {
        // News keeps until there is somebody to tell.
        next_news_ = now + milliseconds(kNewsRound);
        return;
    }
    std::array<std::uint8_t, kLongestMessage> buffer;
    Writer out(buffer);
    begin(out, MessageKind::news);
    const std::size_t head = out.size();
    const auto all = members_.all();
    std::size_t messages = 0;
    bool more = false;
    for (std::size_t step = 0; step < all.size() && messages < kMessagesInRound; ++step) {
        cursor_ = cursor_ + 1 < all.size() ? cursor_ + 1 : 0;
        Member& member = *all[cursor_];
        if (member.news == 0) {
            continue;
        }
        if (out.left() < kRecordHead + member.content().size()) {
            tell_two(out);
            ++messages;
            out = Writer(buffer);
            begin(out, MessageKind::news);
        }
        Answer::write(out, member, now);
        member.news = static_cast<std::uint8_t>(member.news - std::min(member.news, kPeersTold));
        more = more || member.news > 0;
    }
    if (out.size() > head) {
        tell_two(out);
    }
    if (more || messages == kMessagesInRound) {
        next_news_ = now + milliseconds(kNewsRound);
    }
}

bool Gossip::on_message(const PublicKey& from, Bytes message, Instant now) {
    Reader in(message);
    const bool known_format = in.number(1) == kFormat;
    const auto kind = static_cast<MessageKind>(in.number(1));
    const std::uint64_t count = in.number(2);
    if (in.failed() || !known_format || message.size() > kLongestMessage) {
        ++counts_.bad;
        return false;
    }
    if (count <= members_.all().size()) {
        tunnel_.on_agreement();
    }
    bool good = true;
    switch (kind) {
        case MessageKind::news:
        case MessageKind::records: good = on_records(in, kind, now); break;
        case MessageKind::digests: good = on_digests(from, in); break;
        case MessageKind::versions: good = on_versions(from, in, now); break;
        case MessageKind::want: good = on_want(from, in, now); break;
        case MessageKind::same: break;
        default: return false;
    }
    counts_.bad += good && in.complete() ? 0 : 1;
    return true;
}

bool Gossip::on_records(Reader& in, MessageKind kind, Instant now) {
    while (in.left() > 0) {
        const std::uint64_t age = in.number(4);
        const Bytes content = in.bytes(static_cast<std::size_t>(in.number(2)));
        const auto head = read_head(content);
        if (in.failed() || !head) {
            return false;
        }
        if (!tunnel_.admits(*head, content)) {
            continue;
        }
        const Merge merged = members_.merge(content, seconds(age), now);
        counts_.refused += merged == Merge::refused ? 1 : 0;
        if (merged != Merge::changed) {
            continue;
        }
        Member& member = *members_.find(head->key);
        if (kind == MessageKind::records) {
            // Others compare too: what comes this way is not told on, but looked for where it came from.
            member.news = 0;
            next_comparison_ = std::min(next_comparison_, now + kComparisonGoesOn);
        } else {
            wake(now);
        }
        tunnel_.on_record(member);
    }
    return true;
}

bool Gossip::on_digests(const PublicKey& from, Reader& in) {
    Answer digests(*this, from, MessageKind::digests, kMostDigestMessages);
    Answer versions(*this, from, MessageKind::versions, kMostDigestMessages);
    bool differs = false;
    while (in.left() > 0) {
        const KeyRange range = read_range(in);
        RangeDigest theirs;
        theirs.count = static_cast<std::uint32_t>(in.number(4));
        theirs.digest = in.number(8);
        if (in.failed()) {
            return false;
        }
        const RangeDigest ours = members_.digest(range);
        if (ours == theirs) {
            continue;
        }
        differs = true;
        if (ours.count <= kListed || range.digits == kMostDigits) {
            versions.add_versions(range, members_.in(range).first(std::min<std::size_t>(ours.count, kListed)));
            continue;
        }
        const auto parts = members_.part_digests(range);
        for (unsigned digit = 0; digit < 16; ++digit) {
            digests.add_digest(range.part(digit), parts[digit]);
        }
    }
    if (!differs) {
        std::array<std::uint8_t, 8> buffer;
        Writer out(buffer);
        begin(out, MessageKind::same);
        send(from, out);
    }
    return true;
}

bool Gossip::on_versions(const PublicKey& from, Reader& in, Instant now) {
    Answer records(*this, from, MessageKind::records, kMostRecordMessages);
    Answer wants(*this, from, MessageKind::want, 1);
    VersionList list;
    while (in.left() > 0) {
        if (!list.read(in)) {
            return false;
        }
        for (const Listed& one : list.all()) {
            const Member* const known = members_.find_prefix(one.prefix);
            Writer* const out = known == nullptr || one.newer_than(*known) ? wants.room(8) : nullptr;
            if (out != nullptr) {
                out->number(one.prefix, 8);
            }
        }
        for (const auto& member : members_.in(list.range)) {
            if (!list.has(*member)) {
                records.add_record(*member, now);
            }
        }
    }
    return true;
}

bool Gossip::on_want(const PublicKey& from, Reader& in, Instant now) {
    Answer records(*this, from, MessageKind::records, kMostRecordMessages);
    while (in.left() > 0) {
        const std::uint64_t prefix = in.number(8);
        if (in.failed()) {
            return false;
        }
        if (const Member* const member = members_.find_prefix(prefix)) {
            records.add_record(*member, now);
        }
    }
    return true;
}

}  // namespace thole::mesh
