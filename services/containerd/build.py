#!/usr/bin/env python3
"""Builds containerd with ctr, its shim, and the CNI plugins."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

from driver.errors import guard  # noqa: E402
from services.go_build import Module, arguments, build, version, write_depfile  # noqa: E402

_PLUGINS = "github.com/containernetworking/plugins"


def module() -> Module:
    """The module in this folder."""
    containerd, plugins = version("containerd", "containerd"), version("containerd", "cni-plugins")
    return Module(
        step="containerd",
        directory=HERE,
        programs={
            "containerd": ".",
            "containerd-shim-runc-v2": "./shim",
            "bridge": f"{_PLUGINS}/plugins/main/bridge",
            "host-local": f"{_PLUGINS}/plugins/ipam/host-local",
            "loopback": f"{_PLUGINS}/plugins/main/loopback",
            "portmap": f"{_PLUGINS}/plugins/meta/portmap",
        },
        pinned={"github.com/containerd/containerd/v2": containerd, _PLUGINS: plugins},
        variables={
            "github.com/containerd/containerd/v2/version.Version": f"v{containerd}",
            f"{_PLUGINS}/pkg/utils/buildversion.BuildVersion": f"v{plugins}",
        },
        # What builtins.go leaves out; the tags keep other packages from asking for it.
        tags=("no_btrfs", "no_zfs", "no_devmapper", "no_tracing"),
    )


def main() -> int:
    """Build and say what was read."""
    options = arguments(__doc__)
    read = build(module(), options.arch, options.out)
    if options.depfile:
        write_depfile(options.depfile, options.out / "containerd", [*read, Path(__file__)])
    return 0


if __name__ == "__main__":
    sys.exit(guard(main))
