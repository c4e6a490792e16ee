#include "control/json.hpp"

#include "base/text.hpp"

namespace thole {

void Json::put(std::string_view name, std::string_view value) {
    if (!first_) {
        out_ += ',';
    }
    if (depth_ == 1 && form_ == Form::lines) {
        out_ += "\n  ";
    } else if (!first_) {
        out_ += ' ';
    }
    if (!name.empty()) {
        out_ += json_string(name);
        out_ += ": ";
    }
    out_ += value;
    first_ = false;
}

void Json::begin(std::string_view name, char bracket) {
    put(name, {&bracket, 1});
    ++depth_;
    first_ = true;
}

void Json::end(char bracket) {
    --depth_;
    if (depth_ == 0 && !first_ && form_ == Form::lines) {
        out_ += '\n';
    }
    out_ += bracket;
    first_ = false;
}

void Json::text(std::string_view name, std::string_view value) { put(name, json_string(value)); }

void Json::number(std::string_view name, std::int64_t value) { put(name, to_text(value)); }

void Json::known_number(std::string_view name, std::int64_t value) {
    put(name, value < 0 ? std::string("null") : to_text(value));
}

void Json::boolean(std::string_view name, bool value) { put(name, value ? "true" : "false"); }

}  // namespace thole
