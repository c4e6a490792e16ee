#include "paths.hpp"

#include <algorithm>

namespace thole::mesh {

namespace {

/// WireGuard sends a first packet at once and a second after five seconds.
constexpr milliseconds kTry{5'000};
constexpr milliseconds kSilence{15'000};
constexpr milliseconds kGivenWay{1'000};
/// A keepalive: a message of data without any (WireGuard, section 5.4.6). Nobody answers it.
constexpr std::uint64_t kKeepaliveSize = 32;
/// Pauses between rounds over all endpoints grow with the time of the search, within these.
constexpr milliseconds kLongestPause{300'000};
constexpr int kPauseShare = 12;

unsigned rank(EndpointKind kind) { return kind == EndpointKind::fixed ? 0 : kind == EndpointKind::observed ? 1 : 2; }

bool is_link_local(const Address& address) {
    return address.family == AF_INET6 ? address.bytes[0] == 0xFE && (address.bytes[1] & 0xC0U) == 0x80U
                                      : address.bytes[0] == 169 && address.bytes[1] == 254;
}

}  // namespace

bool Forbidden::forbids(const Endpoint& endpoint) const {
    if (endpoint.port == 0 || !unusable_reason(endpoint.address).empty() || is_link_local(endpoint.address) ||
        network_contains(ranges.ipv4, endpoint.address) || network_contains(ranges.ipv6, endpoint.address)) {
        return true;
    }
    return std::ranges::any_of(own, [&](const KnownEndpoint& one) { return one.where == endpoint; });
}

bool Paths::lists(const Endpoint& endpoint) const {
    return std::ranges::find(list(), endpoint, &KnownEndpoint::where) != list().end();
}

/// The list is as long as it must be: there may be thousands of peers, and most have one endpoint.
void Paths::add(const KnownEndpoint& endpoint) {
    if (lists(endpoint.where) || count_ == kMost) {
        return;
    }
    auto longer = std::make_unique<KnownEndpoint[]>(count_ + std::size_t{1});
    std::ranges::copy(list(), longer.get());
    list_ = std::move(longer);
    std::size_t at = count_++;
    for (; at > 0 && rank(list_[at - 1].kind) > rank(endpoint.kind); --at) {
        list_[at] = list_[at - 1];
    }
    list_[at] = endpoint;
}

void Paths::remove(std::size_t index) {
    std::ranges::copy(list().subspan(index + 1), list_.get() + index);
    --count_;
}

void Paths::set_known(std::span<const KnownEndpoint> known, const Forbidden& forbidden, Instant now) {
    const auto before_list = std::move(list_);
    const std::span<const KnownEndpoint> before(before_list.get(), count_);
    count_ = 0;
    for (const KnownEndpoint& endpoint : before) {
        if (endpoint.kind == EndpointKind::observed) {
            add(endpoint);
        }
    }
    for (const KnownEndpoint& endpoint : known) {
        if (!forbidden.forbids(endpoint.where)) {
            add(endpoint);
        }
    }
    if (!std::ranges::equal(list(), before)) {
        hurry(now, milliseconds(0));
    }
}

void Paths::add_observed(const Endpoint& endpoint, const Forbidden& forbidden, Instant now) {
    if (forbidden.forbids(endpoint) || lists(endpoint)) {
        return;
    }
    std::size_t observed = 0;
    std::size_t oldest = kMost;
    for (std::size_t index = 0; index < count_; ++index) {
        if (list_[index].kind == EndpointKind::observed) {
            ++observed;
            oldest = std::min(oldest, index);
        }
    }
    if (observed == kMostObserved) {
        remove(oldest);
    }
    add({EndpointKind::observed, endpoint});
    hurry(now, milliseconds(0));
}

milliseconds Paths::way_given() const { return gives_way_ ? kGivenWay : milliseconds(0); }

void Paths::search(Instant now) {
    working_ = false;
    unanswered_since_ = kNever;
    searching_since_ = now;
    next_try_ = now + way_given();
    next_ = count_;
}

void Paths::hurry(Instant now, milliseconds within) {
    if (!working_) {
        searching_since_ = now;
        next_try_ = std::min(next_try_, now + within + way_given());
    }
}

void Paths::note_traffic(const PathStatus& status, Instant now) {
    const bool wants_answer = status.sent != sent_ && status.sent - sent_ != kKeepaliveSize;
    if (status.received != received_) {
        unanswered_since_ = kNever;
    } else if (wants_answer && unanswered_since_ == kNever) {
        unanswered_since_ = now;
    }
    sent_ = status.sent;
    received_ = status.received;
}

bool Paths::on_status(const PathStatus& status, const Forbidden& forbidden, Instant now) {
    note_traffic(status, now);
    const bool allowed = !forbidden.forbids(status.endpoint);
    if (allowed && status.handshake && (last_handshake_ == kNever || *status.handshake > last_handshake_)) {
        const bool found = !working_;
        last_handshake_ = *status.handshake;
        working_ = true;
        help_ = false;
        current_ = last_good_ = status.endpoint;
        unanswered_since_ = kNever;
        return found;
    }
    if (!working_) {
        return false;
    }
    if (!allowed || now - unanswered_since_ >= kSilence) {
        search(now);
        return false;
    }
    current_ = last_good_ = status.endpoint;
    return false;
}

std::optional<Endpoint> Paths::tick(Instant now, std::uint32_t random) {
    if (working_ || now < next_try_) {
        return std::nullopt;
    }
    // The list, and behind it what worked last: a search begins there.
    if (next_ > count_ || (next_ == count_ && !last_good_)) {
        next_ = 0;
    }
    const bool last_good = next_ == count_ && last_good_;
    if (count_ == 0 && !last_good) {
        help_ = true;
        next_try_ = now + kTry;
        return std::nullopt;
    }
    current_ = last_good ? *last_good_ : list_[next_].where;
    next_ = static_cast<std::uint8_t>(last_good ? 0 : next_ + 1);
    const bool round_ends = next_ == count_ || count_ == 0;
    const milliseconds share = (now - searching_since_) / kPauseShare;
    const milliseconds pause = round_ends ? std::clamp(share, kTry, kLongestPause) : kTry;
    // A fifth more or less, so that two nodes do not miss each other time and again.
    next_try_ = now + pause * (80 + static_cast<int>(random % 41)) / 100;
    help_ = help_ || round_ends;
    return current_;
}

bool Paths::needs_help() {
    const bool answer = help_ && !working_;
    help_ = false;
    return answer;
}

}  // namespace thole::mesh
