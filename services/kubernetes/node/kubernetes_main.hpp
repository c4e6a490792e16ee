// `init kubernetes`: the service that Kubernetes' own programs stand on (kubernetes.unit).
#pragma once

namespace thole::kubernetes {

/// Runs until it is stopped. Returns the exit status.
int kubernetes_main();

}  // namespace thole::kubernetes
