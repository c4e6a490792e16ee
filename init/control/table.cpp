#include "control/table.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/text.hpp"

namespace thole {

Table::Table(std::string_view columns) {
    for (const std::string_view name : split_words(columns)) {
        const bool right = name[0] == '>';
        right_ |= (right ? 1U : 0U) << columns_++;
        add(name.substr(right ? 1 : 0));
    }
}

std::string& Table::cell(std::string_view colour) {
    Cell& cell = cells_.emplace_back();
    cell.colour = colour;
    return cell.text;
}

void Table::add(std::string_view text, std::string_view colour) { cell(colour) = text; }

void Table::add_number(std::int64_t number) {
    if (number < 0) {
        add("-");
    } else {
        append(cell(), number);
    }
}

std::string Table::finish(bool heading) const {
    std::vector<std::size_t> widths(columns_);
    for (std::size_t at = heading ? 0 : columns_; at < cells_.size(); ++at) {
        std::size_t& width = widths[at % columns_];
        width = std::max(width, display_width(cells_[at].text));
    }
    std::string out;
    for (std::size_t at = heading ? 0 : columns_; at < cells_.size(); ++at) {
        const Cell& cell = cells_[at];
        const std::size_t column = at % columns_;
        const bool last = column + 1 == columns_;
        const std::size_t blanks = widths[column] - display_width(cell.text);
        const bool right = (right_ >> column & 1U) != 0;
        out.append(right ? blanks : 0, ' ');
        append_coloured(out, cell.text, cell.colour);
        out.append(right || last ? 0 : blanks, ' ');
        out += last ? "\n" : "  ";
    }
    return out;
}

std::size_t display_width(std::string_view text) {
    std::size_t width = 0;
    for (const char letter : text) {
        width += (static_cast<unsigned char>(letter) & 0xC0U) != 0x80U ? 1 : 0;
    }
    return width;
}

std::string bytes_text(std::int64_t bytes) {
    static constexpr std::string_view kUnits = "BKMGTP";
    if (bytes < 0) {
        return "-";
    }
    std::size_t unit = 0;
    std::int64_t tenths = 0;
    for (; bytes >= 1024 && unit + 1 < kUnits.size(); ++unit) {
        tenths = bytes % 1024 * 10 / 1024;
        bytes /= 1024;
    }
    return unit > 1 && bytes < 100 ? concat(bytes, '.', tenths, kUnits[unit]) : concat(bytes, kUnits[unit]);
}

std::string span_text(std::int64_t milliseconds) {
    struct Step {
        std::int64_t seconds;
        char unit;
        std::int64_t lesser;
        char lesser_unit;
    };
    static constexpr Step kSteps[] = {{86'400, 'd', 3600, 'h'}, {3600, 'h', 60, 'm'}, {60, 'm', 1, 's'}};
    const std::int64_t seconds = std::max<std::int64_t>(milliseconds, 0) / 1000;
    for (const Step& step : kSteps) {
        if (seconds >= step.seconds) {
            return concat(seconds / step.seconds, ' ', step.unit, ' ', seconds % step.seconds / step.lesser, ' ',
                          step.lesser_unit);
        }
    }
    return concat(seconds, " s");
}

std::string tenths_text(std::int64_t tenths) { return concat(tenths / 10, '.', tenths % 10); }

std::vector<std::size_t> descending(const std::vector<std::int64_t>& numbers) {
    struct Entry {
        std::int64_t number;
        std::size_t place;
    };
    std::vector<Entry> entries;
    for (const std::int64_t number : numbers) {
        entries.push_back({number, entries.size()});
    }
    const auto compare = [](const void* left, const void* right) {
        const auto& one = *static_cast<const Entry*>(left);
        const auto& other = *static_cast<const Entry*>(right);
        const bool first = one.number != other.number ? one.number > other.number : one.place < other.place;
        return first ? -1 : 1;
    };
    if (!entries.empty()) {
        std::qsort(entries.data(), entries.size(), sizeof(Entry), compare);
    }
    std::vector<std::size_t> places;
    for (const Entry& entry : entries) {
        places.push_back(entry.place);
    }
    return places;
}

void append_coloured(std::string& out, std::string_view text, std::string_view colour) {
    if (colour.empty()) {
        out += text;
    } else {
        append(out, "\033[", colour, "m", text, "\033[0m");
    }
}

bool colours_wanted() {
    const char* const refused = std::getenv("NO_COLOR");  // https://no-color.org: set and not empty
    return ::isatty(STDOUT_FILENO) == 1 && (refused == nullptr || *refused == '\0');
}

}  // namespace thole
