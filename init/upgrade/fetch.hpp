// A bundle by HTTP. Its signature and sums say whose it is and that it is whole.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"

namespace thole::upgrade {

bool is_url(std::string_view text);

/// Fetches what a URL names to the data disk and returns the file's path; says on standard output how far it is. What
/// an earlier one left there is overwritten.
Result<std::string> fetch_bundle(std::string_view text);

/// Takes the file away; of a path that fetch_bundle() did not make nothing.
void forget_fetched(const std::string& path);

}  // namespace thole::upgrade
