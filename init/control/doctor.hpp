// What a check of `thole doctor` says.
#pragma once

#include <string>
#include <string_view>

namespace thole {

struct Finding {
    bool good = false;
    std::string detail;
};

struct DoctorRow {
    std::string_view check;
    Finding finding;
    std::string_view remedy;  // where the finding is not good
};

}  // namespace thole
