#include "config/path.hpp"

#include "base/text.hpp"

namespace thole {

Result<std::string> canonical_path(const Key& /*key*/, std::string_view value) {
    const bool plain = value.starts_with('/') && value.size() > 1 && !value.ends_with('/') &&
                       value.find_first_of("\"'#=[]") == std::string_view::npos;
    return plain ? Result<std::string>(std::string(value))
                 : failure(concat("'", value,
                                  "' is not a path that begins with '/' and has no quotes, '#', '=' or brackets"));
}

}  // namespace thole
