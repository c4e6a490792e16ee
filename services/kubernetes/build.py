#!/usr/bin/env python3
"""Builds the Kubernetes programs: kubernetes, which is all of them but one, and kine, the data store of one server."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

from driver.errors import TholeError, guard  # noqa: E402
from services.go_build import Module, arguments, build, version, write_depfile  # noqa: E402
from services.kubernetes import upstream_changes  # noqa: E402


def components() -> Module:
    """Everything that goes with k8s.io/kubernetes and the versions of libraries that it was tested with."""
    number = version("kubernetes", "kubernetes")
    major, minor, _ = number.split(".")
    stamp = {"gitVersion": f"v{number}", "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    local_path = version("kubernetes", "local-path-provisioner")
    etcd = version("kubernetes", "etcd")
    return Module(
        step="kubernetes",
        directory=HERE,
        programs={"kubernetes": "."},
        pinned={
            "k8s.io/kubernetes": number,
            "sigs.k8s.io/metrics-server": version("kubernetes", "metrics-server"),
            "sigs.k8s.io/kube-network-policies": version("kubernetes", "kube-network-policies"),
            upstream_changes.LOCAL_PATH: local_path,
            **{f"go.etcd.io/etcd/{part}/v3": etcd for part in ("server", "client", "etcdutl", "api")},
        },
        variables={
            **{f"{package}.{name}": text for package in packages for name, text in stamp.items()},
            f"{upstream_changes.LOCAL_PATH}.VERSION": f"v{local_path}",
        },
        changes=upstream_changes.apply,
        extra=(Path(upstream_changes.__file__),),
    )


def check_versions() -> None:
    """The add-ons are installed again when their versions change: their unit must name those of versions.ini."""
    unit = HERE / "kubernetes-addons.unit"
    wanted = f"--versions={version('kubernetes', 'kubernetes')}-{version('images', 'coredns')}-"
    if unit.read_text().count(wanted) != 1:
        raise TholeError(f"{unit} does not say {wanted}N in its command", "put the versions there")


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
    check_versions()
    read = [
        *build(datastore(), options.arch, options.out),
        *build(components(), options.arch, options.out),
    ]
    if options.depfile:
        write_depfile(options.depfile, options.out / "kubernetes", [*read, Path(__file__), HERE / "kubernetes-addons.unit"])
    return 0


if __name__ == "__main__":
    sys.exit(guard(main))
