#include "config/ini.hpp"

#include <ini.h>

#include "base/text.hpp"

namespace thole {

namespace {

constexpr std::size_t kLongestLine = 65'536;

struct Reading {
    const std::function<Status(const IniEntry&)>& handle;
    Error error;
    int line = 0;
};

int on_entry(void* user, const char* section, const char* name, const char* value, int line) {
    auto& reading = *static_cast<Reading*>(user);
    if (reading.line != 0) {
        return 1;  // the first error is the one to tell
    }
    Status handled;
    if (*section == '\0') {
        handled = failure(concat("the key '", name, "' stands before the first [section]"));
    } else {
        handled = reading.handle({section, name, value != nullptr ? value : "", line});
    }
    if (handled) {
        return 1;
    }
    reading.error = handled.error();
    reading.line = line;
    return 0;
}

Status check_lines(std::string_view file, std::string_view text) {
    int line = 1;
    for (const auto piece : split(text, '\n')) {
        if (piece.find('\0') != std::string_view::npos) {
            return failure(concat(file, ":", line, ": a NUL byte: this is not a text file"));
        }
        if (piece.size() > kLongestLine) {
            return failure(concat(file, ":", line, ": a line of ", piece.size(), " bytes: the most is ", kLongestLine));
        }
        ++line;
    }
    return {};
}

}  // namespace

Status parse_ini(std::string_view file, std::string_view text, const std::function<Status(const IniEntry&)>& handle) {
    if (auto checked = check_lines(file, text); !checked) {
        return checked;
    }
    Reading reading{handle, {}, 0};
    const int failed_line = ini_parse_string(std::string(text).c_str(), on_entry, &reading);
    if (reading.line != 0) {
        return failure(concat(file, ":", reading.line, ": ", reading.error.message));
    }
    if (failed_line < 0) {
        return failure(concat(file, ": not enough memory to read it"));
    }
    if (failed_line > 0) {
        return failure(concat(file, ":", failed_line, ": neither '[section]' nor 'key = value'"));
    }
    return {};
}

}  // namespace thole
