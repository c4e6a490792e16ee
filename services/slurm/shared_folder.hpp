// Folders on an NFS server: the homes of SLURM's users, and the queue where controllers share it.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"
#include "config/address.hpp"

namespace thole::slurm {

/// What mount(2) of NFS needs besides SERVER:/PATH, as mount.nfs would say it: the address is the caller's to find.
std::string nfs_options(const Address& server);

/// Mounts SERVER:/PATH on /var/home, which /home leads to; nothing where it is mounted there already.
Status mount_home(std::string_view place);

/// Mounts SERVER:/PATH on the folder of the controller's queue. An error where that is not slurm's own: the controller
/// runs as slurm, and the server may not let root change it.
Status mount_state(std::string_view place);

}  // namespace thole::slurm
