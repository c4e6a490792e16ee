// node.ini of any content: every value is checked, and what is refused is refused with its line.
#include "config/node_config.hpp"
#include "config/sources.hpp"
#include "input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace thole;
    const std::string_view text = text_of(data, size);
    NodeConfig config;
    if (const auto added = add_ini(config, "node.ini", text, false); !added) {
        expect(added.error().message.starts_with("node.ini"));
        return 0;
    }
    if (const auto whole = config.finish(); !whole) {
        expect(!whole.error().message.empty());
        return 0;
    }
    if (const auto filled = expand(text, config); !filled) {
        expect(!filled.error().message.empty());
    }
    return 0;
}
