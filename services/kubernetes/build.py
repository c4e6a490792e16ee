#!/usr/bin/env python3
"""Builds the Kubernetes programs: kubernetes, which is all of upstream's, and kine."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

from driver.errors import TholeError, guard  # noqa: E402
from services.go_build import Module, arguments, build, version, write_depfile  # noqa: E402
from services.kubernetes import upstream_changes  # noqa: E402


def components() -> Module:
    """The module of everything that is k8s.io/kubernetes."""
    number = version("kubernetes", "kubernetes")
    major, minor, _ = number.split(".")
    stamp = {"gitVersion": f"v{number}", "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return Module(
        step="kubernetes",
        directory=HERE,
        programs={"kubernetes": "."},
        pinned={"k8s.io/kubernetes": number},
        variables={f"{package}.{name}": text for package in packages for name, text in stamp.items()},
        changes=upstream_changes.apply,
        extra=(Path(upstream_changes.__file__),),
    )


def check_stamp() -> None:
    """The add-ons are installed again when what they consist of changes: their unit's stamp must name the versions."""
    unit = HERE / "kubernetes-addons.unit"
    stamp = f"/var/lib/thole/addons-{version('kubernetes', 'kubernetes')}-{version('images', 'coredns')}-"
    if unit.read_text().count(stamp) != 2:
        raise TholeError(f"{unit} does not name {stamp}N in its condition and its command", "put the versions there")


def datastore() -> Module:
    """kine is a module of its own: it wants newer versions of libraries than this Kubernetes was tested with."""
    number = version("kubernetes", "kine")
    return Module(
        step="kine",
        directory=HERE / "kine",
        programs={"kine": "."},
        pinned={"github.com/k3s-io/kine": number},
        # SQLite itself: its translation to Go takes several times as long for each write.
        c=True,
        tags=("osusergo", "netgo", "sqlite_omit_load_extension"),
    )


def main() -> int:
    """Build and say what was read."""
    options = arguments(__doc__)
    check_stamp()
    read = [
        *build(datastore(), options.arch, options.out),
        *build(components(), options.arch, options.out),
    ]
    if options.depfile:
        write_depfile(options.depfile, options.out / "kubernetes", [*read, Path(__file__), HERE / "kubernetes-addons.unit"])
    return 0


if __name__ == "__main__":
    sys.exit(guard(main))
