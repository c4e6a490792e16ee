// Is the controller there?
#pragma once

#include <string>

#include "base/error.hpp"
#include "config/address.hpp"

namespace thole::slurm {

/// The IPv4 address of a node's name; SLURM uses no other here.
Result<Address> address_of(const std::string& name);

/// Whether slurmctld takes a connection there, within two seconds. The error says why not.
Status reach_controller(const Address& address);

}  // namespace thole::slurm
