"""The folder that stands for a cluster on this machine: its secret in cluster.ini, and files made from that."""

from __future__ import annotations

import base64
import ipaddress
import os
import re
from pathlib import Path

from driver.errors import TholeError

SHARED = "cluster.ini"
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_HEAD = """\
# The cluster {name}: what the node.ini of each of its nodes has in it. Whoever has this file can join.
"""


def need_label(name: str, what: str) -> str:
    """A name that can be a host's."""
    if not _LABEL.fullmatch(name):
        raise TholeError(
            f"'{name}' cannot be {what}",
            "up to 63 lower-case letters, digits and inner hyphens, such as 'harbour'",
        )
    return name


def need_range(text: str) -> str:
    """An IPv4 range with room for some nodes."""
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError as error:
        raise TholeError(f"the mesh range '{text}' is not right: {error}", "such as --range 10.41.0.0/16") from None
    if not 8 <= network.prefixlen <= 24:
        raise TholeError(
            f"the mesh range {network} has a prefix length of {network.prefixlen}", "/8 to /24, such as 10.41.0.0/16"
        )
    return str(network)


def write_private(path: Path, text: str) -> None:
    """A new file that only its owner may read, from its first moment on."""
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise TholeError(f"{path} is there already, and was not touched", "give another name, or remove it") from None
    with os.fdopen(number, "w") as file:
        file.write(text)


def shared_text(name: str, secret: str, mesh_range: str, seeds: list[str], ula: str) -> str:
    """cluster.ini."""
    lines = [f"cluster = {name}", f"secret = {secret}", f"range = {mesh_range}"]
    lines += [f"ula = {ula}"] if ula else []
    lines += [f"seeds = {', '.join(seeds)}"] if seeds else []
    return _HEAD.format(name=name) + "[mesh]\n" + "\n".join(lines) + "\n"


def new_secret() -> str:
    """32 random bytes, as node.ini has them."""
    return base64.b64encode(os.urandom(32)).decode()


def shared_file(folder: Path) -> Path:
    """cluster.ini of a folder that `./thole config new` made."""
    path = folder / SHARED
    if not path.is_file():
        raise TholeError(f"{folder} is no cluster's folder: it has no {SHARED}", "./thole config new CLUSTER makes one")
    return path
