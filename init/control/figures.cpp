#include "control/figures.hpp"

#include <limits>

#include "base/text.hpp"
#include "os/cgroup.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

std::int64_t number_in(std::string_view text) {
    return parse_integer(trim(text), 0, std::numeric_limits<std::int64_t>::max()).value_or(-1);
}

std::int64_t number_of(const std::string& directory, std::string_view file) {
    const auto text = read_file(concat(directory, "/", file));
    return text ? number_in(*text) : -1;
}

std::int64_t keyed(std::string_view text, std::string_view name) {
    return text.empty() ? -1 : static_cast<std::int64_t>(flat_value(text, name));
}

}  // namespace

std::string cgroup_of(std::string_view unit) { return concat(kCgroupRoot, "/services/", unit); }

CgroupFigures read_figures(const std::string& directory) {
    CgroupFigures figures;
    figures.memory = number_of(directory, "memory.current");
    figures.memory_peak = number_of(directory, "memory.peak");
    figures.processes = number_of(directory, "pids.current");
    const auto cpu = read_file(directory + "/cpu.stat");
    const std::string_view cpu_text = cpu ? std::string_view(*cpu) : std::string_view();
    figures.cpu = keyed(cpu_text, "usage_usec");
    figures.cpu_user = keyed(cpu_text, "user_usec");
    figures.cpu_system = keyed(cpu_text, "system_usec");
    figures.throttled = keyed(cpu_text, "throttled_usec");
    const auto memory_events = read_file(directory + "/memory.events");
    figures.oom_kills = memory_events ? keyed(*memory_events, "oom_kill") : -1;
    if (const auto io = read_file(directory + "/io.stat")) {
        figures.read = nested_sum(*io, "rbytes");
        figures.written = nested_sum(*io, "wbytes");
    }
    return figures;
}

std::int64_t memory_of(std::string_view unit) { return number_of(cgroup_of(unit), "memory.current"); }

std::int64_t nested_sum(std::string_view text, std::string_view name) {
    std::int64_t sum = -1;
    for (const std::string_view word : split_words(text)) {
        if (word.size() > name.size() && word.starts_with(name) && word[name.size()] == '=') {
            const std::int64_t number = number_in(word.substr(name.size() + 1));
            sum = number < 0 ? sum : (sum < 0 ? 0 : sum) + number;
        }
    }
    return sum;
}

}  // namespace thole
