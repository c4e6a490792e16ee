// Unit files of any content: read or refused with a message, never anything else.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "supervisor/graph.hpp"
#include "supervisor/unit.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace thole;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto same = [](std::string_view value) -> Result<std::string> { return std::string(value); };
    auto unit = parse_unit("x.unit", text, same);
    if (!unit) {
        if (unit.error().message.empty()) {
            __builtin_trap();
        }
        return 0;
    }
    std::vector<Unit> units;
    units.push_back(std::move(*unit));
    (void)Graph::build(std::move(units));
    return 0;
}
