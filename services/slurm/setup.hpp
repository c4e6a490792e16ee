// What SLURM's daemons find on a node when they start: key, configuration, accounts, folders.
#pragma once

#include <string>
#include <vector>

#include "config/node_config.hpp"
#include "slurm_conf.hpp"

namespace thole::slurm {

/// The file of users and groups that the controller hands out, and the folders in which it appears: slurmd puts a link
/// there, sackd a folder.
inline constexpr const char* kHandedOut = "/run/slurm/conf/users.conf";
inline constexpr const char* kHandedOutFolder = "/run/slurm/conf";
inline constexpr const char* kQueue = "/var/lib/slurm/controller";  // on the data disk, or mounted there
inline constexpr const char* kRunFolder = "/run/slurm";
inline constexpr const char* kMeshFolder = "/var/lib/thole/mesh";

class Setup {
   public:
    explicit Setup(NodeConfig config) : config_(std::move(config)) {}

    /// All of it. Waits for the node's address in the mesh where it is needed.
    Status prepare();

    /// Again after the mesh's secret or the controller's accounts may have changed. munged gets a new key by a restart.
    Status refresh();

   private:
    Result<bool> write_key();
    Status write_controller_files();
    Status write_database_files(std::string_view controller);
    Status write_node_environment();
    Status write_accounts();
    [[nodiscard]] std::string address_of_node() const;
    [[nodiscard]] std::string address_of_controller(const std::string& name) const;
    [[nodiscard]] std::vector<Controller> controllers() const;
    [[nodiscard]] std::vector<std::string> gpu_files() const;

    NodeConfig config_;
};

}  // namespace thole::slurm
