// The asking end of `thole -n NODE`.
#pragma once

#include <functional>
#include <string_view>

#include "base/socket_address.hpp"
#include "frames.hpp"
#include "grant.hpp"

namespace thole::remote {

/// Takes what the command writes, as it comes.
using Output = std::function<void(FrameKind stream, std::string_view text)>;

/// Has `request` done by the node at `address`, or by way of it, and returns the command's exit status. `device` as in
/// connect_to(). Errors: nobody there, not one that knows this identity, a refusal, or an end before the command's.
Result<int> ask_node(const Identity& identity, const SocketAddress& address, std::string_view device,
                     const Request& request, const Output& output);

}  // namespace thole::remote
