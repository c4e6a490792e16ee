// Kernel command lines: words thole.SECTION.KEY=VALUE among others of any content, taken or refused with a message.
#include <string>

#include "config/node_config.hpp"
#include "config/sources.hpp"
#include "input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace thole;
    const std::string_view text = text_of(data, size);
    NodeConfig config;
    const auto added = add_command_line(config, text);
    if (!added) {
        expect(added.error().message.starts_with("the kernel command line: "));
        return 0;
    }
    // The same words again change nothing, wherever a line ends.
    NodeConfig again;
    expect(add_command_line(again, text).has_value());
    expect(add_command_line(again, std::string(text) + "\n").has_value());
    for (const Key& key : config.keys()) {
        const std::string name = std::string(key.section) + "." + std::string(key.name);
        expect(config.text(name) == again.text(name));
    }
    if (const auto whole = config.finish(); !whole) {
        expect(!whole.error().message.empty());
    }
    return 0;
}
