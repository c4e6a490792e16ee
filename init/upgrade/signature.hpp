// Who made a bundle: Ed25519 (RFC 8032) over its header, by keys that node.ini names.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "upgrade/bundle.hpp"

namespace thole::upgrade {

/// Nothing where one of the keys (base64 of 32 bytes) has signed the bundle's header; an error that says why not.
Status check_signature(const Bundle& bundle, std::span<const std::string_view> keys);

/// Whether a text is such a key.
bool is_public_key(std::string_view text);

}  // namespace thole::upgrade
