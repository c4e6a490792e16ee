// What comes over PID 1's sockets: sd_notify datagrams, control answers, addresses and command lines.
#include <cstddef>
#include <cstdint>

#include "control/protocol.hpp"
#include "os/notify.hpp"
#include "os/probe.hpp"
#include "os/spawn.hpp"
#include "supervisor/unit.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace thole;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (parse_notification(text).status.size() > 200) {
        __builtin_trap();
    }
    if (const auto units = decode(text)) {
        for (const UnitStatus& unit : *units) {
            if (!decode(encode(unit))) {
                __builtin_trap();
            }
        }
    }
    (void)parse_tcp_address(text);
    (void)split_command(text);
    (void)expand_environment(text, {"A=1"});
    (void)json_string(text);
    return 0;
}
