"""The Debian of the other column: tests/bench/vm's with the node's own Kubernetes and containerd, started by systemd.

Programs, images and configuration are those of the build's root file system; runc is the same package of Debian's.
"""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path

from bench.cluster import units
from bench.vm import debian
from bench.vm.debian import Recipe
from driver.errors import TholeError
from driver.paths import CHECKOUT
from qemu.artifacts import Artifacts

SERVICES = CHECKOUT / "services"
# QEMU's user network: every VM's own address, and this machine as they see it.
ADDRESS, MACHINE = "10.0.2.15", "10.0.2.2"
PORT = 16443  # of this machine's loopback, to the server's API
TOKEN = "benchm.0123456789abcdef"  # of VMs that end with the run
_SHARED = ("containerd", "images", "kubelet", "kube-proxy", "kube-network-policies")
SERVER = (
    "kine", "kubernetes-certificates", "kubernetes-api", "kubernetes-addons", "kubernetes-token", "kube-apiserver",
    "kube-controller-manager", "kube-scheduler", "metrics-server", "local-path-provisioner", *_SHARED,
)  # fmt: skip
AGENT = ("kubernetes-join", *_SHARED)
_TAKEN = (
    "usr/bin/containerd", "usr/bin/ctr", "usr/bin/images-import", "usr/bin/kine", "usr/bin/kube",
    "usr/bin/local-path-provisioner", "usr/bin/metrics-server", "usr/lib/cni/", "usr/lib/thole/images/",
)  # fmt: skip
# What the node's first unit of Kubernetes finds out: here all of it is fixed.
_ADDRESSES = (
    "[Unit]\nDescription=The node's address\nWants=network-online.target\nAfter=network-online.target\n\n"
    "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/bin/true\n"
)
_RUN = """\
d /run/thole 0755 root root
d /run/kubernetes 0700 root root
d /run/kine 0700 root root
d /var/lib/thole 0755 root root
d /var/lib/kine 0700 root root
d /var/lib/kubernetes 0755 root root
L /etc/kubernetes - - - - /var/lib/kubernetes
L /run/thole/resolv.conf - - - - /run/systemd/resolve/resolv.conf
f /run/kubernetes/token 0600 root root - {token}
"""
# services/kubernetes/node/datastore.cpp
_SQLITE = (
    "DATASTORE=sqlite\nDATASTORE_URL=unix:///run/kine/kine.sock\nDATASTORE_CA=\nDATASTORE_CERTIFICATE=\n"
    "DATASTORE_KEY=\nLEADER_ELECTION=false\n"
)
# As `init kubernetes` passes an agent's connections on to a server.
_SOCKET = "[Socket]\nListenStream=127.0.0.1:6444\n"
_PROXY = (
    "[Unit]\nRequires=kubernetes-servers.socket\nAfter=kubernetes-servers.socket kubernetes.service\n\n"
    f"[Service]\nExecStart=/usr/lib/systemd/systemd-socket-proxyd {MACHINE}:{PORT}\n"
)


def recipe(artifacts: Artifacts, name: str, agent: bool) -> Recipe:
    """A server or an agent."""
    names = AGENT if agent else SERVER
    present = {*names, "kubernetes"}
    made = {f"{one}.service": units.to_systemd(_unit(one), present) for one in names}
    files = {
        "etc/hostname": f"{name}\n",
        "etc/hosts": f"127.0.0.1 localhost\n127.0.1.1 {name}\n",
        units.ENVIRONMENT.lstrip("/"): _environment(name),
        "usr/lib/tmpfiles.d/thole.conf": _RUN.format(token=TOKEN),
        "usr/lib/sysctl.d/90-thole.conf": (CHECKOUT / "rootfs/skeleton/usr/lib/thole/sysctl.conf").read_text(),
        "etc/cni/net.d/10-thole.conflist": _network("10.42.1.0/24" if agent else "10.42.0.0/24"),
        "usr/lib/systemd/system/kubernetes.service": _ADDRESSES,
        **_templates(agent),
        **{f"usr/lib/systemd/system/{unit}": text for unit, text in made.items()},
    }
    if agent:
        files |= {
            "usr/lib/systemd/system/kubernetes-servers.socket": _SOCKET,
            "usr/lib/systemd/system/kubernetes-servers.service": _PROXY,
        }
    wants = "multi-user.target.wants"
    return Recipe(
        f"bench-kubernetes-{name}",
        packages=(*debian.PACKAGES, "runc", "nftables", "iproute2", "procps", "ca-certificates", "qemu-guest-agent"),
        files=debian.FILES | files,
        enabled=debian.ENABLED | {
            wants: (*debian.ENABLED[wants], *made),
            "network-online.target.wants": ("systemd-networkd-wait-online.service",),
            **({"sockets.target.wants": (*debian.ENABLED["sockets.target.wants"], "kubernetes-servers.socket")}
               if agent else {}),
        },
        programs=(("var/.made-of", artifacts.root_tar),),  # for the key: another build is another image
        finish=lambda tree: take(artifacts, tree),
        size="8G",
    )  # fmt: skip


def take(artifacts: Artifacts, tree: Path) -> None:
    """The node's programs and images out of its root file system."""
    (tree / "var/.made-of").unlink()
    with tarfile.open(artifacts.root_tar) as archive:
        chosen = [one for one in archive if one.name.removeprefix("./").startswith(_TAKEN)]
        if not chosen:
            raise TholeError(f"{artifacts.root_tar} has no Kubernetes", "./thole build --profile kubernetes makes it")
        archive.extractall(tree, members=chosen, numeric_owner=True, filter="tar")
    shutil.rmtree(tree / "usr/share/doc", ignore_errors=True)


def _unit(name: str) -> Path:
    """A unit's file, in whichever service's folder it is."""
    found = list(SERVICES.glob(f"*/{name}.unit"))
    if len(found) != 1:
        raise TholeError(f"services/ has {len(found)} units {name}", "see tests/bench/cluster/debian.py")
    return found[0]


def _environment(name: str) -> str:
    node = f"NODE_NAME={name}\nNODE_ADDRESS={ADDRESS}\nNODE_ADDRESSES={ADDRESS}\nOUTSIDE_ADDRESS={MACHINE}\n"
    return node + _SQLITE


def _templates(agent: bool) -> dict[str, str]:
    """The configuration that init would write."""
    files = {}
    for service in ("containerd", "kubernetes"):
        folder = SERVICES / service / "templates"
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not (agent and "kube-apiserver" in path.parts):
                files[str(path.relative_to(folder))] = units.render(path.read_text())
    return files


def _network(subnet: str) -> str:
    """As services/kubernetes/node/pod_network.cpp writes it for a node in no mesh."""
    bridge = {
        "type": "bridge", "bridge": "cni0", "isDefaultGateway": True, "hairpinMode": True, "ipMasq": True,
        "ipMasqBackend": "nftables",
        "ipam": {"type": "host-local", "dataDir": "/run/cni/networks", "ranges": [[{"subnet": subnet}]]},
    }  # fmt: skip
    portmap = {"type": "portmap", "backend": "nftables", "capabilities": {"portMappings": True}}
    return json.dumps({"cniVersion": "1.0.0", "name": "thole", "plugins": [bridge, portmap]}, indent=2)
