// `init kubernetes`: the service that Kubernetes' own programs stand on (kubernetes.unit).
#pragma once

#include <span>
#include <string_view>

namespace thole::kubernetes {

/// Without arguments the service, which runs until it is stopped; `going-down TIME` moves pods away where the node goes
/// down, and does nothing else. Returns the exit status.
int kubernetes_main(std::span<const std::string_view> arguments);

}  // namespace thole::kubernetes
