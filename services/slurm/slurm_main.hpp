// `/sbin/init slurm`: what SLURM's units need besides Debian's programs.
#pragma once

#include <span>
#include <string_view>

namespace thole::slurm {

/// Without words: prepares the node and keeps key and accounts up to date (the unit `slurm`). "wait NAME": until the
/// controller NAME takes connections. "home SERVER:/PATH": mounts the homes. Returns the exit status.
int slurm_main(std::span<const std::string_view> arguments);

}  // namespace thole::slurm
