#include "boot/skeleton.hpp"

#include "boot/tree_copy.hpp"
#include "os/file.hpp"

namespace thole {

Status fill_from_skeleton(const std::string& skeleton, const std::string& target) {
    return path_exists(skeleton) ? copy_tree(skeleton, target) : Status();
}

}  // namespace thole
