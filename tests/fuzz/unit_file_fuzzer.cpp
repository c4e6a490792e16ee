// Unit files of any content: read or refused with a message, never anything else.
#include <string>
#include <utility>
#include <vector>

#include "input.hpp"
#include "supervisor/graph.hpp"
#include "supervisor/unit.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace thole;
    const auto same = [](std::string_view value) -> Result<std::string> { return std::string(value); };
    auto unit = parse_unit("x.unit", text_of(data, size), same);
    if (!unit) {
        expect(unit.error().message.starts_with("x.unit"));
        return 0;
    }
    std::vector<Unit> units;
    units.push_back(std::move(*unit));
    if (const auto graph = Graph::build(std::move(units)); !graph) {
        expect(!graph.error().message.empty());
    }
    return 0;
}
