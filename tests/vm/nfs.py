"""An NFSv4.2 server for a node of the tests: nfs-ganesha from Debian's packages, put onto the node's data disk.

The node's kernel serves no NFS, and nothing is installed there: as with vm/mpi.py, program and libraries lie on the
data disk, and the C library is the node's. It runs without D-Bus, rpcbind and Kerberos, which NFSv4 does not ask for;
its log complains of the first two and it goes on. It opens files by the kernel's handles: CONFIG_FHANDLE.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from vm import libraries

from driver.apt import Apt
from driver.cache import Cache, digest
from qemu.agent import Completed
from rootfs import deb

Execute = Callable[..., Completed]  # a program and its arguments, and `timeout`

SUITE = "trixie"
# With each library that is needed; the last has no library, but a file that lists the kinds of networks.
PACKAGES = (
    "nfs-ganesha", "nfs-ganesha-vfs", "libntirpc6.3", "libnfsidmap1", "libwbclient0", "libbsd0", "libmd0",
    "libdbus-1-3", "libsystemd0", "libacl1", "libcap2", "libblkid1", "libuuid1", "liburcu8t64", "libgssapi-krb5-2",
    "libkrb5-3", "libkrb5support0", "libk5crypto3", "libkeyutils1", "libcom-err2", "libtirpc-common",
)  # fmt: skip
FOLDER, PORT = "/var/nfs", 2049  # on the node
PROGRAM, LIBRARIES, NETWORKS = "bin/ganesha.nfsd", "lib", "netconfig"
CONFIGURATION, LOG, PID = "ganesha.conf", f"{FOLDER}/log", "/run/nfs.pid"
START, POLL = 60, 0.2
_PLUGIN = "libfsalvfs.so"
_EXPORT_FAILED = ":EXPORT :CRIT :"
# Names of users stay numbers, as the kernel's client sends them. Without a client that the server knew before it was
# started there is no grace period; one that it knew has a quarter of a minute to claim its locks again.
_SERVER = f"""\
NFS_CORE_PARAM {{
    Protocols = 4;
    NFS_Port = {PORT};
    Plugins_Dir = "{FOLDER}/{LIBRARIES}";
    Enable_NLM = false;
    Enable_RQUOTA = false;
    Enable_UDP = false;
    Allow_Set_Io_Flusher_Fail = true;
}}
NFSV4 {{
    Minor_Versions = 2;
    Only_Numeric_Owners = true;
    UseGetpwnam = true;
    RecoveryRoot = "{FOLDER}/state";
    Lease_Lifetime = 10;
    Grace_Period = 15;
}}
DIRECTORY_SERVICES {{ DomainName = test; }}
NFS_KRB5 {{ Active_krb5 = false; }}
EXPORT_DEFAULTS {{
    Access_Type = RW;
    Squash = No_Root_Squash;
    SecType = sys;
    Protocols = 4;
    Transports = TCP;
}}
"""
_EXPORT = f"""\
EXPORT {{{{
    Export_Id = {{number}};
    Path = "{FOLDER}/export/{{name}}";
    Pseudo = "/{{name}}";
    FSAL {{{{ Name = VFS; }}}}
}}}}
"""


def built() -> Path:
    """A folder with bin/ganesha.nfsd, lib/* and netconfig; made once for these packages."""
    packages = Apt(SUITE).download([*PACKAGES])
    key = digest("1", *[file.name for file in packages.values()])
    return Cache().entry("test-nfs", key, lambda made: _make(made, packages))


def put(tree: Path, exports: dict[str, int]) -> None:
    """Lay the server into tree/nfs, where `tree` becomes a data disk (`mke2fs -d`), with an empty folder for each
    export, SERVER:/NAME to clients, which belongs to the user and the group of that number.
    """
    server = tree / "nfs"
    shutil.copytree(built(), server, ignore=shutil.ignore_patterns(".*"))
    (server / "state").mkdir()
    text = _SERVER
    for number, (name, owner) in enumerate(exports.items(), 1):
        folder = server / "export" / name
        folder.mkdir(parents=True)
        os.chown(folder, owner, owner)
        text += _EXPORT.format(name=name, number=number)
    (server / CONFIGURATION).write_text(text)


def start(execute: Execute) -> None:
    """Start it on a node, on all addresses, and wait until it listens; again after its end or that of the node, too."""
    for command in (
        ("/usr/bin/cp", f"{FOLDER}/{NETWORKS}", "/etc/netconfig"),  # in memory
        ("/usr/bin/rm", "-f", LOG),
        ("/usr/bin/env", f"LD_LIBRARY_PATH={FOLDER}/{LIBRARIES}", f"{FOLDER}/{PROGRAM}",
         "-x", "-f", f"{FOLDER}/{CONFIGURATION}", "-L", LOG, "-p", PID),
    ):  # fmt: skip
        done = execute(*command, timeout=START)
        assert done.status == 0, f"`{' '.join(command)}` ended with {done.status}: {done.output}"
    limit = time.monotonic() + START
    while not _listens(execute):
        assert time.monotonic() < limit, f"the NFS server does not listen after {START} s:\n{_log(execute)}"
        time.sleep(POLL)
    log = _log(execute)
    assert _EXPORT_FAILED not in log, f"the NFS server serves, but not all exports:\n{log}"


def _listens(execute: Execute) -> bool:
    """Whether a socket of the node's listens at the port: the second field is its address, the fourth 0A."""
    shown = execute("/usr/bin/cat", "/proc/net/tcp", "/proc/net/tcp6", timeout=START).stdout
    fields = [line.split() for line in shown.splitlines()]
    return any(one[1].endswith(f":{PORT:04X}") and one[3] == "0A" for one in fields)


def _log(execute: Execute) -> str:
    return execute("/usr/bin/tail", "--lines=60", LOG, timeout=START).output


def _make(made: Path, packages: dict[str, Path]) -> None:
    having = libraries.found(packages.values())
    libraries.put_needed(_PLUGIN, having, made / LIBRARIES, "tests/vm/nfs.py")
    for package, path, name in (
        ("nfs-ganesha", f"usr/{PROGRAM}", PROGRAM),
        ("libtirpc-common", "etc/netconfig", NETWORKS),
    ):
        [member] = [one for one in deb.members(packages[package]) if one.path == path]
        (made / name).parent.mkdir(exist_ok=True)
        (made / name).write_bytes(member.data)
        (made / name).chmod(member.mode)
