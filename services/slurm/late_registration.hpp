// slurmd registers once more, some time after its first start of a boot.
//
// A job that ran when its node and the controller lost their power still runs in the controller's eyes. It drops such
// jobs when their node registers, but spares what it has known for less than some 20 s, which after its own start is
// all; and it asks a node to register again only at every twentieth ping: with a node-timeout of five minutes that is
// half an hour.
#pragma once

#include <optional>
#include <string>

#include "os/clock.hpp"

namespace thole::slurm {

class LateRegistration {
   public:
    /// `sign` is there when slurmd has started; `mark` keeps over restarts of this process that it was done.
    LateRegistration(std::string sign, std::string mark) : sign_(std::move(sign)), mark_(std::move(mark)) {}

    /// Whether it is time. True once in a boot; call it whenever something has changed, and when wait() is over.
    bool due(Instant time);

    /// Milliseconds until due() is worth a call, for poll(2): -1 for no end.
    [[nodiscard]] int wait(Instant time) const;

   private:
    std::string sign_;
    std::string mark_;
    std::optional<Instant> at_;
};

}  // namespace thole::slurm
