#include "gate.hpp"

#include <algorithm>

#include "members.hpp"

namespace thole::mesh {

namespace {

constexpr milliseconds kBetween{100};
constexpr milliseconds kAtOnce{2'000};
constexpr milliseconds kMemory = std::chrono::minutes(10);
constexpr std::int64_t kPeriod = 30'000;

/// The part of an address that a stranger cannot choose freely.
std::uint64_t source_of(const Address& address) {
    std::uint64_t number = 0;
    for (std::size_t index = 0; index < 8; ++index) {
        number = number << 8U | address.bytes[index];
    }
    return number;
}

}  // namespace

Gate::Gate(const Block& random) : secret_(random), spread_(keyed_hash(secret_, "thole places", {}).prefix() | 1U) {}

/// Multiplicative hashing by an odd number that strangers do not know (Dietzfelbinger 1997).
std::size_t Gate::place_of(std::uint64_t number) const { return static_cast<std::size_t>(number * spread_ >> 54U); }

bool Gate::admits(const Endpoint& from, Instant now) {
    // A leaky bucket in one number: when it will be empty.
    Instant& busy_until = busy_until_[place_of(source_of(from.address))];
    const Instant from_now = std::max(busy_until, now) + kBetween;
    if (from_now - now > kAtOnce) {
        return false;
    }
    busy_until = from_now;
    return true;
}

bool Gate::is_new(const PublicKey& key, std::uint32_t epoch, std::uint32_t counter, Instant now) {
    const std::uint64_t number = key_prefix(key);
    // Four places for it; where all are taken, the oldest goes.
    const auto places = std::span(heard_).subspan(place_of(number) / kWays * kWays, kWays);
    Heard* place = places.data();
    for (Heard& heard : places) {
        if (heard.key == number && heard.when != Instant()) {
            place = &heard;
            break;
        }
        place = heard.when < place->when ? &heard : place;
    }
    const bool known = place->key == number && now - place->when < kMemory;
    if (known && (epoch < place->epoch || (epoch == place->epoch && counter <= place->counter))) {
        return false;
    }
    *place = {number, epoch, counter, now};
    return true;
}

Challenge Gate::challenge_in(std::int64_t period, const Endpoint& from) const {
    std::array<std::uint8_t, 32> buffer{};
    Writer out(buffer);
    out.number(static_cast<std::uint64_t>(period), 8);
    out.endpoint(from);
    const Digest digest = keyed_hash(secret_, "thole challenge", {out.written()});
    Challenge challenge{};
    std::copy_n(digest.bytes.begin(), challenge.size(), challenge.begin());
    return challenge;
}

Challenge Gate::challenge(const Endpoint& from, Instant now) const {
    return challenge_in(now.milliseconds / kPeriod, from);
}

bool Gate::answers(const Challenge& echo, const Endpoint& from, Instant now) const {
    const std::int64_t period = now.milliseconds / kPeriod;
    return same_bytes(echo, challenge_in(period, from)) || same_bytes(echo, challenge_in(period - 1, from));
}

}  // namespace thole::mesh
