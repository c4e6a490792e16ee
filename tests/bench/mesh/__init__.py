"""The mesh measured: in VMs, as a binary, and in its simulation."""
