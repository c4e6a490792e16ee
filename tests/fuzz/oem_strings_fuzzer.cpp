// SMBIOS tables, as a host's firmware might have them.
#include "config/smbios.hpp"
#include "input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view table = thole::text_of(data, size);
    for (const auto text : thole::oem_strings(table)) {
        thole::expect(text.data() >= table.data() && text.data() + text.size() <= table.data() + table.size());
    }
    return 0;
}
