"""Kubernetes measured: a server and an agent beside the same programs under a Debian with systemd, on the same kernel."""
