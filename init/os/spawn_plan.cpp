#include "os/spawn_plan.hpp"

#include <unistd.h>

#include "base/text.hpp"

namespace thole {

namespace {

constexpr std::string_view kDefaultPath = "/usr/sbin:/usr/bin:/sbin:/bin";

}  // namespace

std::string find_program(const SpawnPlan& plan) {
    const std::string& name = plan.command[0];
    if (name.find('/') != std::string::npos) {
        return name;
    }
    for (const auto directory : split(environment_value(plan.environment, "PATH").value_or(kDefaultPath), ':')) {
        std::string candidate = concat(directory, "/", name);
        if (::access(candidate.c_str(), X_OK) == 0) {
            return candidate;
        }
    }
    return name;
}

std::optional<std::string_view> environment_value(const std::vector<std::string>& environment, std::string_view name) {
    for (auto at = environment.rbegin(); at != environment.rend(); ++at) {
        const std::string_view entry = *at;
        if (entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=') {
            return entry.substr(name.size() + 1);
        }
    }
    return std::nullopt;
}

Result<std::string> expand_environment(std::string_view text, const std::vector<std::string>& environment) {
    std::string out;
    while (true) {
        const auto dollar = text.find('$');
        out += text.substr(0, dollar);
        if (dollar == std::string_view::npos) {
            return out;
        }
        text.remove_prefix(dollar + 1);
        if (text.starts_with('$')) {
            out += '$';
            text.remove_prefix(1);
            continue;
        }
        const auto end = text.find('}');
        if (!text.starts_with('{') || end == std::string_view::npos) {
            out += '$';
            continue;
        }
        const auto name = text.substr(1, end - 1);
        const auto value = environment_value(environment, name);
        if (!value) {
            return failure(concat("${", name, "} is not in the service's environment"));
        }
        out += *value;
        text.remove_prefix(end + 1);
    }
}

}  // namespace thole
