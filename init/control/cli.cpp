#include "control/cli.hpp"

#include <unistd.h>

#include "base/text.hpp"
#include "control/client.hpp"
#include "control/commands.hpp"
#include "control/power.hpp"
#include "control/systemctl.hpp"
#include "os/file.hpp"

namespace thole {

void print(std::string_view text) { (void)write_all(STDOUT_FILENO, text, "standard output"); }

int complain(const Error& error) {
    (void)write_all(STDERR_FILENO, concat("thole: ", error.message, "\n"), "standard error");
    return kFailed;
}

int complain_usage(std::string_view usage) {
    (void)write_all(STDERR_FILENO, usage, "standard error");
    return kWrongCall;
}

int complain_no_unit(std::string_view name, const std::vector<UnitStatus>& units) {
    std::vector<std::string_view> names;
    for (const UnitStatus& unit : units) {
        names.push_back(unit.name);
    }
    const auto nearest = nearest_name(name, names);
    complain(Error{concat("there is no unit '", name, "'",
                          nearest.empty() ? std::string("; `thole status` lists them")
                                          : concat("; did you mean '", nearest, "'?")),
                   0});
    return kNoSuchUnit;
}

int choose_units(std::vector<UnitStatus>& units, const std::vector<std::string_view>& names) {
    if (names.empty()) {
        return kDone;
    }
    std::vector<UnitStatus> chosen;
    for (const std::string_view name : names) {
        const UnitStatus* const unit = find_unit(units, name);
        if (unit == nullptr) {
            return complain_no_unit(name, units);
        }
        chosen.push_back(*unit);
    }
    units = std::move(chosen);
    return kDone;
}

int thole_main(std::span<const std::string_view> arguments) {
    if (arguments.empty()) {
        return complain_usage(help_text());
    }
    if (arguments[0] == "help" || arguments[0] == "--help" || arguments[0] == "-h") {
        print(help_text());
        return kDone;
    }
    return run_command(arguments[0] == "--version" ? "version" : arguments[0], arguments.subspan(1));
}

int system_name_main(std::string_view name, std::span<const std::string_view> arguments) {
    return name == "systemctl" ? systemctl_main(arguments) : power_main(name, arguments);
}

}  // namespace thole
