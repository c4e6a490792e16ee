// `thole kubernetes`: what speaks with the API server is in Kubernetes' own program, which takes the command over.
#include <unistd.h>

#include <string>
#include <vector>

#include "base/text.hpp"
#include "control/commands.hpp"
#include "os/file.hpp"

namespace thole {

int kubernetes_command(const Call& call) {
    const std::string program = "/usr/bin/kubernetes-node";
    if (!path_exists(program)) {
        return complain(Error{"this node's image has no Kubernetes: it needs the profile kubernetes", 0});
    }
    std::vector<std::string> words{program};
    for (const auto argument : call.arguments) {
        words.emplace_back(argument);
    }
    std::vector<char*> pointers;
    for (std::string& word : words) {
        pointers.push_back(word.data());
    }
    pointers.push_back(nullptr);
    ::execv(program.c_str(), pointers.data());
    return complain(system_error("run", program).error());
}

}  // namespace thole
