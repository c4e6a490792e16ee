"""A Debian 13 with systemd as an ext4 image, composed from packages without running their scripts, and without root.

What a small server has that does what a node's base profile does: systemd with udev, journald, logind, D-Bus, networkd
(DHCP), resolved, timesyncd, a login prompt on the serial console. Nothing else is enabled. A `Recipe` adds to it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from bench import programs
from bench.peers.peer import SUITE, unpacked
from driver.apt import Apt
from driver.cache import Cache, digest
from driver.errors import TholeError

PACKAGES = ("systemd", "systemd-sysv", "udev", "dbus", "libpam-systemd", "systemd-resolved", "systemd-timesyncd",
            "login", "util-linux", "mount", "base-files", "base-passwd", "passwd", "libc-bin", "coreutils", "dash",
            "bash", "netbase", "hostname", "sed", "grep", "init-system-helpers", "kmod")  # fmt: skip
# What the packages' scripts would enable.
ENABLED = {
    "multi-user.target.wants": ("systemd-networkd.service",),
    "sysinit.target.wants": ("systemd-resolved.service", "systemd-timesyncd.service"),
    "sockets.target.wants": ("systemd-networkd.socket",),
}
FILES = {
    "etc/fstab": "",
    "etc/hostname": "debian\n",
    "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "etc/shadow": "root:*:19000:0:99999:7:::\n",
    # Kind: the kernel has a dummy0 built in; to wait for its address would take two minutes.
    "etc/systemd/network/wired.network": "[Match]\nType=ether\nKind=!*\n\n[Network]\nDHCP=ipv4\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files resolve dns\n",
    # The bus' package makes this account in a script.
    "usr/lib/sysusers.d/bench.conf": 'u messagebus - "bus" /nonexistent\n',
}
LINKS = {
    "usr/bin/sh": "dash",
    "etc/os-release": "../usr/lib/os-release",
    "etc/systemd/system/default.target": "/usr/lib/systemd/system/multi-user.target",
}
_FOLDERS = ("proc", "sys", "dev", "run", "tmp", "var/lib", "var/log", "var/tmp", "root", "etc", "home", "mnt")
_PSS = {
    "etc/systemd/system/bench-pss.service": (
        "[Unit]\nAfter=multi-user.target\n\n[Service]\n"
        "ExecStart=/bin/sh -c 'sleep 20; systemd-analyze time >/dev/ttyS0 2>&1; exec /usr/bin/bench-pss 2'\n"
    ),
}


def nothing(_tree: Path) -> None:
    """Adds nothing."""


class Recipe(NamedTuple):
    """What the image has; all paths are relative to its root."""

    kind: str  # of its cache entry
    packages: tuple[str, ...] = PACKAGES  # and all that they depend on
    files: dict[str, str] = FILES
    links: dict[str, str] = LINKS
    enabled: dict[str, tuple[str, ...]] = ENABLED
    programs: tuple[tuple[str, Path], ...] = ()  # of our own
    finish: Callable[[Path], None] = nothing  # what is different each time the image is made
    size: str = "1G"

    def key(self) -> str:
        """What the image depends on; newer package indexes make it anew."""
        text = repr((self.packages, self.files, self.links, self.enabled, self.size))
        return digest("7", text, *(file for _, file in self.programs), Apt(SUITE).indexes())


def image() -> Path:
    """The image that says on the console when it is up, and the sizes of its processes."""
    wants = "etc/systemd/system/multi-user.target.wants/bench-pss.service"
    return make(
        Recipe(
            "bench-debian",
            files=FILES | _PSS,
            links=LINKS | {wants: "../bench-pss.service"},
            programs=(("usr/bin/bench-pss", programs.built() / "pss"),),
        )
    )


def make(recipe: Recipe) -> Path:
    """The image of a recipe, made once."""
    return Cache().entry(recipe.kind, recipe.key(), lambda made: _make(recipe, made)) / "root.img"


def packages_of(recipe: Recipe) -> Path:
    """The files of its packages."""
    apt = Apt(SUITE)
    return unpacked(tuple(sorted({name for root in recipe.packages for name in apt.closure(root)})))


def _make(recipe: Recipe, directory: Path) -> None:
    tree = directory / "tree"
    shutil.copytree(packages_of(recipe), tree, symlinks=True)
    for folder in _FOLDERS:
        (tree / folder).mkdir(parents=True, exist_ok=True)
    for name in ("passwd", "group"):
        shutil.copy2(tree / f"usr/share/base-passwd/{name}.master", tree / "etc" / name)
    for name, text in recipe.files.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name, program in recipe.programs:
        shutil.copy2(program, tree / name)
    for name, target in recipe.links.items():
        _link(tree / name, target)
    for target, units in recipe.enabled.items():
        for unit in units:
            _link(tree / f"etc/systemd/system/{target}/{unit}", f"/usr/lib/systemd/system/{unit}")
    _run(tree, "systemd-sysusers", f"--root={tree}")
    _settle(tree)
    recipe.finish(tree)
    _mke2fs(tree, directory / "root.img", recipe.size)
    shutil.rmtree(tree)


def _link(path: Path, target: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def _settle(tree: Path) -> None:
    """What the packages' scripts work out at their installation; otherwise the first boot would do it, for 20 s."""
    _run(tree, "systemd-hwdb", f"--root={tree}", "--usr", "update")
    _run(tree, "journalctl", f"--root={tree}", "--update-catalog")
    _run(tree, "../sbin/ldconfig", "-r", str(tree))
    for folder in ("etc", "var"):
        (tree / folder / ".updated").touch()  # newer than /usr, which is what the units of the first boot look at


def _run(tree: Path, program: str, *arguments: str) -> None:
    """A program of the tree's own, by its own loader: what packages' scripts would do with it."""
    libraries = f"{tree}/usr/lib/x86_64-linux-gnu"
    loader = [tree / "usr/lib64/ld-linux-x86-64.so.2", "--library-path", f"{libraries}:{libraries}/systemd"]
    done = subprocess.run(
        [*loader, tree / "usr/bin" / program, *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise TholeError(f"{program} failed: {done.stderr.strip()}", "see tests/bench/vm/debian.py")


def _mke2fs(tree: Path, image_file: Path, size: str) -> None:
    # In a user namespace the files are root's, as they are to be in the image.
    own = [] if os.geteuid() == 0 else ["unshare", "--map-root-user"]
    command = [*own, "/sbin/mke2fs", "-q", "-t", "ext4", "-E", "root_owner=0:0", "-d", tree, image_file, size]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise TholeError(f"mke2fs failed: {done.stderr.strip()}", "see tests/bench/vm/debian.py")
