#include "control/plot.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "control/table.hpp"

namespace thole {

namespace {

constexpr std::int64_t kWidth = 900;  // of the bars, in pixels
constexpr std::int64_t kRow = 18;
constexpr std::int64_t kTop = 24;
constexpr std::int64_t kMargin = 260;  // right of the bars, for the last names

std::string escaped(std::string_view text) {
    std::string out;
    for (const char letter : text) {
        switch (letter) {
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            case '&': out += "&amp;"; break;
            default: out += letter;
        }
    }
    return out;
}

/// About ten lines on the axis, at 1, 2 or 5 times a power of ten milliseconds.
std::int64_t step_of(std::int64_t span) {
    static constexpr std::int64_t kFactors[] = {2, 5, 10};
    std::int64_t power = 1;
    std::int64_t step = 1;
    for (std::size_t at = 0; step * 10 < span; at = (at + 1) % 3) {
        step = power * kFactors[at];
        power *= at == 2 ? 10 : 1;
    }
    return step;
}

struct Chart {
    std::int64_t start = 0;
    std::int64_t span = 1;
    std::int64_t height = 0;

    [[nodiscard]] std::int64_t x(std::int64_t time) const { return 10 + (time - start) * kWidth / span; }
};

std::string axis(const Chart& chart) {
    std::string out;
    const std::int64_t step = step_of(chart.span);
    for (std::int64_t time = (chart.start + step - 1) / step * step; time <= chart.start + chart.span; time += step) {
        append(out, "<line x1=\"", chart.x(time), "\" y1=\"", kTop - 4, "\" x2=\"", chart.x(time), "\" y2=\"",
               chart.height, "\"/><text x=\"", chart.x(time) + 2, "\" y=\"14\">", time, " ms</text>\n");
    }
    return out;
}

std::string bar(const Chart& chart, const UnitStatus& unit, std::int64_t row, bool in_chain) {
    const std::int64_t y = kTop + row * kRow;
    const std::int64_t left = chart.x(unit.started);
    const std::int64_t width =
        std::max<std::int64_t>(2, chart.x(unit.started + std::max<std::int64_t>(unit.took, 0)) - left);
    return concat("<rect class=\"",
                  unit.state == "failed" ? "failed"
                  : in_chain             ? "chain"
                                         : "bar",
                  "\" x=\"", left, "\" y=\"", y, "\" width=\"", width, "\" height=\"", kRow - 4, "\"><title>",
                  escaped(unit.description), "</title></rect><text x=\"", left + width + 4, "\" y=\"", y + kRow - 7,
                  "\">", escaped(unit.name), unit.took < 0 ? std::string() : concat(" (", unit.took, " ms)"),
                  "</text>\n");
}

}  // namespace

std::string plot_svg(const std::vector<UnitStatus>& units, const std::vector<std::size_t>& chain) {
    std::vector<std::int64_t> starts;
    Chart chart;
    std::int64_t first = INT64_MAX;
    std::int64_t last = 0;
    std::int64_t rows = 0;
    for (const UnitStatus& unit : units) {
        // Those that never were started come first when ordered from the last to the first, and are passed over.
        starts.push_back(-unit.started);
        if (unit.started >= 0) {
            first = std::min(first, unit.started);
            last = std::max(last, unit.started + std::max<std::int64_t>(unit.took, 0));
            ++rows;
        }
    }
    if (rows > 0) {
        chart.start = first;
        chart.span = std::max<std::int64_t>(last - first, 1);
    }
    chart.height = kTop + rows * kRow;
    std::string out = concat(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"", kWidth + kMargin, "\" height=\"", chart.height + 10,
        "\" font-family=\"sans-serif\" font-size=\"11\">\n<style>line{stroke:#ddd}.bar{fill:#69c}.chain{fill:#e90}"
        ".failed{fill:#c33}</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
        axis(chart));
    std::int64_t row = 0;
    for (const std::size_t place : descending(starts)) {
        if (units[place].started >= 0) {
            const bool in_chain = std::ranges::find(chain, place) != chain.end();
            out += bar(chart, units[place], row++, in_chain);
        }
    }
    return out += "</svg>\n";
}

}  // namespace thole
