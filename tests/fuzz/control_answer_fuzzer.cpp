// The client's end of the control socket: PID 1's answers to `status`, `events` and `info`, of any content. What was
// read is written and read again without a change.
#include <string>

#include "control/protocol.hpp"
#include "input.hpp"

namespace {

using namespace thole;

void check_status(std::string_view text) {
    const auto units = decode(text);
    if (!units) {
        expect(!units.error().message.empty());
        return;
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
}

void check_event(std::string_view text) {
    const auto event = decode_event(text);
    if (!event) {
        expect(!event.error().message.empty());
        return;
    }
    const std::string written = encode(*event);
    const auto again = decode_event(written.substr(0, written.size() - 1));  // a line is handed over without its end
    expect(again && encode(*again) == written);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = text_of(data, size);
    check_status(text);
    check_event(text);
    expect(info_value(text, "boot").find('\n') == std::string_view::npos);
    const std::string field = one_field(text);
    expect(field.find_first_of("\t\n\r\x1b") == std::string::npos && one_field(field) == field);
    return 0;
}
