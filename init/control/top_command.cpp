#include <poll.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.hpp"
#include "control/commands.hpp"
#include "control/figures.hpp"
#include "control/json.hpp"
#include "control/table.hpp"
#include "os/cgroup.hpp"
#include "os/clock.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

constexpr int kLiveMilliseconds = 2000;
constexpr int kSampleMilliseconds = 1000;

struct Row {
    std::string name;
    CgroupFigures figures;
};

struct Sample {
    Instant time;
    std::vector<Row> rows;
};

/// Every service, and what lives beside the services ("kubepods", "init.scope").
Sample take_sample() {
    Sample sample{now(), {}};
    for (const std::string_view below : {"/services", ""}) {
        const std::string folder = concat(kCgroupRoot, below);
        const auto names = list_directory(folder);
        for (std::size_t at = 0; names && at < names->size(); ++at) {
            const std::string& name = (*names)[at];
            if (name != "services" && path_exists(concat(folder, "/", name, "/cgroup.procs"))) {
                sample.rows.push_back({name, read_figures(concat(folder, "/", name))});
            }
        }
    }
    return sample;
}

const CgroupFigures* find_row(const Sample& sample, std::string_view name) {
    const auto row = std::ranges::find(sample.rows, name, &Row::name);
    return row == sample.rows.end() ? nullptr : &row->figures;
}

/// What was added to a counter, a second; -1 where one of the two is not known.
std::int64_t rate(std::int64_t before, std::int64_t after, std::int64_t milliseconds) {
    return before < 0 || after < before ? -1 : (after - before) * 1000 / std::max<std::int64_t>(milliseconds, 1);
}

struct Rates {
    std::int64_t cpu = -1;  // tenths of a per cent of one CPU
    std::int64_t read = -1;
    std::int64_t written = -1;
};

Rates rates_of(const Sample& before, const Sample& after, const Row& row) {
    const CgroupFigures* const earlier = find_row(before, row.name);
    if (earlier == nullptr) {
        return {};
    }
    const std::int64_t span = (after.time - before.time).count();
    const std::int64_t cpu = rate(earlier->cpu, row.figures.cpu, span);
    return {cpu < 0 ? -1 : cpu / 1000, rate(std::max<std::int64_t>(earlier->read, 0), row.figures.read, span),
            rate(std::max<std::int64_t>(earlier->written, 0), row.figures.written, span)};
}

std::vector<std::size_t> by_use(const Sample& before, const Sample& after) {
    std::vector<std::int64_t> uses;
    for (const Row& row : after.rows) {
        // Memory decides among those that use no CPU.
        uses.push_back((rates_of(before, after, row).cpu + 1) * (std::int64_t{1} << 44) +
                       std::min(row.figures.memory, (std::int64_t{1} << 44) - 1));
    }
    return descending(uses);
}

std::string to_json(const Sample& before, const Sample& after) {
    Json json;
    json.begin_array();
    for (const std::size_t place : by_use(before, after)) {
        const Row& row = after.rows[place];
        const Rates rates = rates_of(before, after, row);
        json.begin_object();
        json.text("name", row.name);
        json.known_number("cpu_permille", rates.cpu);
        json.known_number("memory_bytes", row.figures.memory);
        json.known_number("read_bytes_per_s", rates.read);
        json.known_number("written_bytes_per_s", rates.written);
        json.known_number("processes", row.figures.processes);
        json.end_object();
    }
    json.end_array();
    return json.finish();
}

std::string to_table(const Sample& before, const Sample& after) {
    Table table(">CPU% >MEMORY >READ/s >WRITE/s >PIDS NAME");
    for (const std::size_t place : by_use(before, after)) {
        const Row& row = after.rows[place];
        const Rates rates = rates_of(before, after, row);
        table.add(rates.cpu < 0 ? "-" : tenths_text(rates.cpu));
        table.add(bytes_text(row.figures.memory));
        table.add(bytes_text(rates.read));
        table.add(bytes_text(rates.written));
        table.add_number(row.figures.processes);
        table.add(row.name);
    }
    return table.finish();
}

}  // namespace

int top_command(const Call& call) {
    const bool json = call.has("--json");
    const bool live = !json && ::isatty(STDOUT_FILENO) == 1;
    const auto asked = call.has("-n") ? parse_integer(call.value("-n"), 1, 1'000'000) : Result<std::int64_t>(0);
    if (!asked) {
        return complain(asked.error());
    }
    // For ever only where a person looks at it.
    const std::int64_t count = *asked == 0 && !live ? 1 : *asked;
    Sample before = take_sample();
    if (before.rows.empty()) {
        return complain(Error{concat("there are no cgroups of services in ", kCgroupRoot), 0});
    }
    for (std::int64_t shown = 0; count == 0 || shown < count; ++shown) {
        ::poll(nullptr, 0, live && shown > 0 ? kLiveMilliseconds : kSampleMilliseconds);
        Sample after = take_sample();
        print(json ? to_json(before, after) : concat(live ? "\033[H\033[2J" : "", to_table(before, after)));
        before = std::move(after);
    }
    return kDone;
}

}  // namespace thole
