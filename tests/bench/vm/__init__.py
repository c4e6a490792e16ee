"""The figures that need a machine of their own: a node beside a Debian with systemd, on the same kernel."""
