// Text in columns, for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace thole {

/// Rows of cells; each column but the last is as wide as its widest cell.
class Table {
   public:
    /// `columns` names them, separated by blanks; a name that begins with '>' is of a column that is set to the right.
    explicit Table(std::string_view columns);

    /// The next cell, to be filled; `colour` is an SGR parameter such as "31", empty for none.
    std::string& cell(std::string_view colour = {});
    void add(std::string_view text, std::string_view colour = {});
    void add_number(std::int64_t number);

    /// All rows with the line of names above them, or without it.
    [[nodiscard]] std::string finish(bool heading = true) const;

   private:
    struct Cell {
        std::string text;
        std::string_view colour;
    };

    std::size_t columns_ = 0;
    std::uint32_t right_ = 0;  // a bit a column
    std::vector<Cell> cells_;
};

/// What a terminal shows as its columns: the characters of UTF-8, not its bytes.
std::size_t display_width(std::string_view text);

/// "12.3M", "512K", "7B": bytes for people; "-" for a negative number, which stands for one that is not known.
std::string bytes_text(std::int64_t bytes);

/// "3 s", "5 m 20 s", "2 h 5 m", "3 d 4 h": how long, for people.
std::string span_text(std::int64_t milliseconds);

/// The number with one decimal place of what is given in tenths: 125 is "12.5".
std::string tenths_text(std::int64_t tenths);

/// The places of the numbers from the greatest to the least; equal ones keep their order.
std::vector<std::size_t> descending(const std::vector<std::int64_t>& numbers);

/// The text in a colour of the terminal; as it is where `colour` is empty.
void append_coloured(std::string& out, std::string_view text, std::string_view colour);

/// Whether standard output is a terminal that may be coloured (NO_COLOR is not set).
bool colours_wanted();

}  // namespace thole
