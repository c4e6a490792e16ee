#include "node_files.hpp"

#include "base/text.hpp"
#include "boot/identity.hpp"
#include "os/file.hpp"

namespace thole {

std::string resolv_text(std::span<const std::string_view> servers, std::string_view search) {
    constexpr int kMost = 3;  // the resolvers of glibc and musl, and the kubelet, take no more
    std::string text;
    int count = 0;
    for (const auto server : servers) {
        const auto address = parse_address(server);
        if (address && unusable_reason(*address).empty() && count < kMost) {
            text += concat("nameserver ", address_text(*address), "\n");
            ++count;
        }
    }
    if (!search.empty()) {
        text += concat("search ", search, "\n");
    }
    return text.empty() ? "# no name server is known\n" : text;
}

std::string environment_text(std::string_view node_name, std::string_view address) {
    return concat("NODE_NAME=", node_name, "\nNODE_ADDRESS=", address, "\n");
}

Status write_address(const NodeFiles& files, std::string_view node_name, const Address& address) {
    const std::string text = address_text(address);
    // The node works without its name in there, too.
    (void)(files.in_container ? complete_hosts(files.hosts(), node_name, text)
                              : replace_file(files.hosts(), hosts_text(node_name, text), 0644));
    return replace_file(files.environment(), environment_text(node_name, text), 0644);
}

Status write_resolv_conf(const NodeFiles& files, std::span<const std::string_view> servers, std::string_view search) {
    return replace_file(files.resolv_conf(), resolv_text(servers, search), 0644);
}

}  // namespace thole
