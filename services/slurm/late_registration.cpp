#include "late_registration.hpp"

#include <algorithm>
#include <chrono>

#include "os/file.hpp"

namespace thole::slurm {

namespace {

constexpr std::chrono::milliseconds kPause{40'000};

}  // namespace

bool LateRegistration::due(Instant time) {
    if (!at_) {
        if (path_exists(sign_) && !path_exists(mark_)) {
            at_ = time + kPause;
        }
        return false;
    }
    if (time < *at_) {
        return false;
    }
    at_.reset();
    // Without the mark it happens once more: that is no harm.
    (void)replace_file(mark_, "", 0644);
    return true;
}

int LateRegistration::wait(Instant time) const {
    return at_ ? static_cast<int>(std::max<std::int64_t>((*at_ - time).count(), 0)) + 1 : -1;
}

}  // namespace thole::slurm
