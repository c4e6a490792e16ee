#include "saved_members.hpp"

#include <algorithm>
#include <array>

namespace thole::mesh {

namespace {

constexpr std::string_view kHead = "thole mesh 1\n";
constexpr std::size_t kFrame = 10;  // when it was written (8), length (2)

Bytes bytes_of(std::string_view text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }

void add(std::string& text, Bytes bytes) { text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size()); }

}  // namespace

std::string members_text(const Members& members, const PublicKey& self, Instant now, std::uint64_t seconds) {
    std::string text(kHead);
    for (const auto& member : members.all()) {
        if (member->key() == self) {
            continue;
        }
        const auto age = static_cast<std::uint64_t>(std::max<std::int64_t>((now - member->issued).count() / 1000, 0));
        std::array<std::uint8_t, kFrame> frame{};
        Writer out(frame);
        out.number(seconds - std::min(age, seconds), 8);
        out.number(member->content().size(), 2);
        add(text, out.written());
        add(text, member->content());
    }
    return text;
}

std::vector<SavedMember> parse_members(std::string_view text, std::uint64_t now_seconds) {
    std::vector<SavedMember> saved;
    if (!text.starts_with(kHead)) {
        return saved;
    }
    Reader in(bytes_of(text.substr(kHead.size())));
    while (in.left() > 0 && saved.size() < kMostMembers) {
        const std::uint64_t written = in.number(8);
        const Bytes record = in.bytes(static_cast<std::size_t>(in.number(2)));
        if (in.failed() || record.size() > kLongestRecord) {
            break;
        }
        // A clock that was set back makes nothing older.
        const std::uint64_t age = now_seconds - std::min(written, now_seconds);
        constexpr std::uint64_t kMostAge = std::chrono::duration_cast<seconds>(kBurial).count();
        saved.push_back({record, seconds(std::min(age, kMostAge))});
    }
    return saved;
}

}  // namespace thole::mesh
