// Checks across keys: addresses and ranges that must not clash.
#pragma once

#include <string_view>

#include "base/error.hpp"

namespace thole {

class NodeConfig;

/// Address of the dummy interface of a node that has no network (RFC 5737, so that it clashes with nobody's network).
inline constexpr std::string_view kDummyAddress = "192.0.2.1/32";

/// Pod range, service range and the node's own address keep apart; the gateway lies in the node's own network.
Status check_ranges(const NodeConfig& config);

/// The cluster's name server lies in a service range and is neither its first address nor the range's own.
Status check_dns_address(const NodeConfig& config);

}  // namespace thole
