// node.ini and the kernel command line of any content: every value is checked, and an error changes nothing.
#include <cstddef>
#include <cstdint>
#include <string>

#include "config/node_config.hpp"
#include "config/sources.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace thole;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    NodeConfig config;
    if (add_ini(config, "node.ini", text, false)) {
        (void)config.finish();
    }
    NodeConfig from_kernel;
    (void)add_command_line(from_kernel, text);
    (void)expand(text, from_kernel);
    return 0;
}
