// A unit of several files: the first line is its name, which may be an instance's; files are parted by lines of "%%".
// Whatever they hold, they are read or refused with a message, and a drop-in that comes again changes nothing.
#include <algorithm>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "input.hpp"
#include "supervisor/unit.hpp"

namespace {

using namespace thole;

Result<std::string> as_it_is(std::string_view value) { return std::string(value); }

std::vector<UnitText> files_of(std::string_view text) {
    constexpr std::string_view kBetween = "\n%%\n";
    std::vector<UnitText> files;
    while (true) {
        const auto end = text.find(kBetween);
        files.push_back({concat("file", files.size()), std::string(text.substr(0, end))});
        if (end == std::string_view::npos) {
            return files;
        }
        text.remove_prefix(end + kBetween.size());
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text = text_of(data, size);
    const std::string name(text.substr(0, text.find('\n')));
    text.remove_prefix(std::min(text.size(), name.size() + 1));
    const auto shared = template_of(name);
    expect(shared.empty() || (shared.ends_with('@') && name.starts_with(shared) && name.size() > shared.size()));
    std::vector<UnitText> files = files_of(text);
    const auto unit = parse_unit(name, files, as_it_is);
    const auto keys = effective_keys(name, files);
    if (!unit) {
        expect(!unit.error().message.empty());
        return 0;
    }
    expect(unit->name == name && keys.has_value());
    files.push_back({"empty", ""});
    if (files.size() > 2) {
        files.push_back(files[files.size() - 2]);
    }
    const auto again = parse_unit(name, files, as_it_is);
    expect(again && again->fingerprint == unit->fingerprint);
    return 0;
}
