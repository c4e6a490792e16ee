// Calendar expressions: read or refused with a message, and the times that follow hold together.
#include <array>

#include "input.hpp"
#include "supervisor/calendar.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace thole;
    const auto calendar = parse_calendar(text_of(data, size));
    if (!calendar) {
        expect(!calendar.error().message.empty());
        return 0;
    }
    // The first second there is, a leap day, an ordinary day, the last year that is known.
    constexpr std::array<std::int64_t, 4> kTimes{-1, 1'709'164'799, 1'795'000'000, 7'226'582'400};
    for (const std::int64_t time : kTimes) {
        const auto next = next_after(*calendar, time);
        if (!next) {
            continue;
        }
        expect(*next > time);
        // Nothing is passed over: from any moment between the two, it is the next one too.
        expect(next_after(*calendar, *next - 1) == next);
        expect(next_after(*calendar, time + (*next - time) / 2) == next);
    }
    return 0;
}
