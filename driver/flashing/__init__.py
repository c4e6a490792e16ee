"""Images onto disks: what a disk is and who uses it (target), the copy that is read back (copy)."""
