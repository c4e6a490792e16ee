"""A Debian 13 with systemd as an ext4 image, composed from packages without running their scripts.

What a small server has that does what a node's base profile does: systemd with udev, journald, logind, D-Bus, networkd
(DHCP), resolved, timesyncd, a login prompt on the serial console. Nothing else is enabled.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from bench import programs
from bench.peers.peer import SUITE, unpacked
from driver.apt import Apt
from driver.cache import Cache, digest
from driver.errors import TholeError

_ROOTS = ("systemd", "systemd-sysv", "udev", "dbus", "libpam-systemd", "systemd-resolved", "systemd-timesyncd", "login",
          "util-linux", "mount", "base-files", "base-passwd", "passwd", "libc-bin", "coreutils", "dash", "bash",
          "netbase", "hostname", "sed", "grep", "init-system-helpers", "kmod")  # fmt: skip
# What the packages' scripts would enable.
_ENABLED = {
    "multi-user.target.wants": ("systemd-networkd.service", "bench-pss.service"),
    "sysinit.target.wants": ("systemd-resolved.service", "systemd-timesyncd.service"),
    "sockets.target.wants": ("systemd-networkd.socket",),
}
_FILES = {
    "etc/fstab": "",
    "etc/hostname": "debian\n",
    "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "etc/shadow": "root:*:19000:0:99999:7:::\n",
    "etc/systemd/network/wired.network": "[Match]\nType=ether\n\n[Network]\nDHCP=ipv4\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files resolve dns\n",
    # The bus' package makes this account in a script.
    "usr/lib/sysusers.d/bench.conf": 'u messagebus - "bus" /nonexistent\n',
    "etc/systemd/system/bench-pss.service": (
        "[Unit]\nAfter=multi-user.target\n\n[Service]\n"
        "ExecStart=/bin/sh -c 'sleep 20; systemd-analyze time >/dev/ttyS0 2>&1; exec /usr/bin/bench-pss 2'\n"
    ),
}
_SIZE = "1G"


def image() -> Path:
    """The image; made once, and anew when the package indexes are."""
    own = digest("5", repr(_ROOTS), repr(_FILES), repr(_ENABLED), programs.built() / "pss", Apt(SUITE).indexes())
    return Cache().entry("bench-debian", own, _make) / "root.img"


def _packages() -> Path:
    apt = Apt(SUITE)
    return unpacked(tuple(sorted({name for root in _ROOTS for name in apt.closure(root)})))


def _make(directory: Path) -> None:
    tree = directory / "tree"
    shutil.copytree(_packages(), tree, symlinks=True)
    for folder in ("proc", "sys", "dev", "run", "tmp", "var/lib", "var/log", "var/tmp", "root", "etc", "home", "mnt"):
        (tree / folder).mkdir(parents=True, exist_ok=True)
    for name, text in _FILES.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name in ("passwd", "group"):
        shutil.copy2(tree / f"usr/share/base-passwd/{name}.master", tree / "etc" / name)
    shutil.copy2(programs.built() / "pss", tree / "usr/bin/bench-pss")
    _link(tree / "usr/bin/sh", "dash")
    _link(tree / "etc/os-release", "../usr/lib/os-release")
    _link(tree / "etc/systemd/system/default.target", "/usr/lib/systemd/system/multi-user.target")
    for target, units in _ENABLED.items():
        for unit in units:
            _link(tree / f"etc/systemd/system/{target}/{unit}", f"/usr/lib/systemd/system/{unit}")
    _link(tree / "etc/systemd/system/multi-user.target.wants/bench-pss.service", "../bench-pss.service")
    _users(tree)
    _mke2fs(tree, directory / "root.img")
    shutil.rmtree(tree)


def _link(path: Path, target: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def _users(tree: Path) -> None:
    """The accounts that packages' scripts would make, by systemd's own program."""
    done = subprocess.run(
        ["chroot", tree, "/usr/bin/systemd-sysusers"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise TholeError(f"systemd-sysusers failed: {done.stderr.strip()}", "see tests/bench/vm/debian.py")


def _mke2fs(tree: Path, image_file: Path) -> None:
    command = ["mke2fs", "-q", "-t", "ext4", "-E", "root_owner=0:0", "-d", str(tree), str(image_file), _SIZE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise TholeError(f"mke2fs failed: {done.stderr.strip()}", "see tests/bench/vm/debian.py")
