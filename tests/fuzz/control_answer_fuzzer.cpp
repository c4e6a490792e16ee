// The client's end of the control socket: PID 1's answer to `status`, of any content. What was read is written and read
// again without a change.
#include <string>

#include "control/protocol.hpp"
#include "input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace thole;
    const auto units = decode(text_of(data, size));
    if (!units) {
        expect(!units.error().message.empty());
        return 0;
    }
    std::string written;
    for (const UnitStatus& unit : *units) {
        written += encode(unit);
    }
    const auto again = decode(written);
    expect(again && again->size() == units->size());
    std::string twice;
    for (const UnitStatus& unit : *again) {
        twice += encode(unit);
    }
    expect(twice == written);
    return 0;
}
