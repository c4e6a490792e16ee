"""systemd, as in a container: PID 1 with journald, no device manager."""

from __future__ import annotations

import os
import signal

from bench.peers.peer import LIBC, Peer, arguments
from bench.space import Space

_TARGET = "[Unit]\nDescription=All services\nRequires=basic.target\nAfter=basic.target\nAllowIsolate=yes\n"
_UNIT = """\
[Unit]
Description=Service {number}

[Service]
ExecStart={command}
Restart=always
RestartSec=0
"""
_PASSWD = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n"
_GROUP = "root:x:0:\nadm:x:4:\ntty:x:5:\nutmp:x:43:\nsystemd-journal:x:999:\nnogroup:x:65534:\n"


class Systemd(Peer):
    """The whole set counts: journald keeps the services' output, as thole's logger does."""

    name = "systemd"
    packages = ("systemd", "libsystemd-shared", "libsystemd0", "libblkid1", "libpcre2-8-0", "libselinux1",
                "libmount1", "libsmartcols1", "libacl1", "libaudit1", "libcap-ng0", "libcap2", "libcrypt1",
                "libpam0g", "libseccomp2", "libzstd1", "zlib1g", "libssl3t64", "libapparmor1", "libgcc-s1",
                "dash", LIBC)  # fmt: skip
    binaries = ("/usr/lib/systemd/systemd", "/usr/lib/systemd/systemd-executor", "/usr/lib/systemd/systemd-journald",
                "/usr/bin/systemctl", "/usr/bin/journalctl")  # fmt: skip
    remark = "with journald; without udevd, logind, D-Bus"
    patience = 120

    def fill(self, space: Space, count: int) -> None:
        space.write("etc/passwd", _PASSWD)
        space.write("etc/group", _GROUP)
        space.write("etc/machine-id", "0123456789abcdef0123456789abcdef\n")
        space.write("etc/os-release", "ID=bench\n")
        space.write("etc/systemd/system/bench.target", _TARGET)
        (space.tree / "etc/systemd/system/default.target").symlink_to("bench.target")
        wants = space.tree / "etc/systemd/system/bench.target.wants"
        wants.mkdir()
        for number in range(1, count + 1):
            name = f"s{number:04}.service"
            text = _UNIT.format(number=number, command=arguments(number))
            space.write(f"etc/systemd/system/{name}", text)
            (wants / name).symlink_to(f"../{name}")

    @property
    def command(self) -> list[str]:
        return ["/usr/lib/systemd/systemd"]

    def request_stop(self, space: Space) -> None:
        os.kill(space.pid, signal.SIGRTMIN + 4)
