"""SLURM measured: a node beside a Debian with systemd that has the same packages, on the same kernel."""
