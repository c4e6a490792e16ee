// Builds JSON (RFC 8259) into one string, for all that says --json.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace thole {

/// Values come in the order in which they are to stand. Within an object each has a name; within an array, and at the
/// outermost place, the name is empty. Each element of the outermost array or object stands on a line of its own, where
/// not all is to be on one line.
class Json {
   public:
    enum class Form : std::uint8_t { lines, one_line };

    explicit Json(Form form = Form::lines) : form_(form) {}

    void begin_object(std::string_view name = {}) { begin(name, '{'); }
    void end_object() { end('}'); }
    void begin_array(std::string_view name = {}) { begin(name, '['); }
    void end_array() { end(']'); }

    void text(std::string_view name, std::string_view value);
    void number(std::string_view name, std::int64_t value);
    /// null for a negative number: where -1 stands for "none".
    void known_number(std::string_view name, std::int64_t value);
    void boolean(std::string_view name, bool value);

    /// The text with a line end behind it.
    [[nodiscard]] std::string finish() { return out_ + '\n'; }

   private:
    void begin(std::string_view name, char bracket);
    void end(char bracket);
    void put(std::string_view name, std::string_view value);

    std::string out_;
    Form form_;
    int depth_ = 0;
    bool first_ = true;  // nothing stands yet in the innermost array or object
};

}  // namespace thole
