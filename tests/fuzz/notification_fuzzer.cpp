// Datagrams of the sd_notify protocol: read whatever they hold, and what is kept of them has bounds.
#include "input.hpp"
#include "os/notify.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace thole;
    expect(parse_notification(text_of(data, size)).status.value_or("").size() <= 200);
    return 0;
}
