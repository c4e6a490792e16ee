// Homes on an NFS server.
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

}  // namespace thole::slurm
