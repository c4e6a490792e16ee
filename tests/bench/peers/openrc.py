"""OpenRC: openrc-init as PID 1, and a supervise-daemon for each service."""

from __future__ import annotations

from bench.peers.peer import LIBC, Peer
from bench.space import SERVICE, Space

_SCRIPT = """\
#!/sbin/openrc-run
supervisor=supervise-daemon
command={program}
command_args={number}
"""
# What its scripts call.
_APPLETS = ("awk", "basename", "cat", "chmod", "chown", "cp", "cut", "date", "dirname", "dmesg", "env", "expr", "find",
            "grep", "head", "hostname", "id", "install", "ln", "ls", "mkdir", "mknod", "mount", "mv", "printf",
            "readlink", "rm", "sed", "sh", "sleep", "sort", "stat", "stty", "sync", "tail", "test", "touch",
            "tr", "true", "tty", "umount", "uname", "wc")  # fmt: skip


class OpenRC(Peer):
    """A shell script runs for each service, so it starts in seconds where others take tenths."""

    name = "openrc"
    packages = ("openrc", "librc1t64", "libeinfo1", "libcap2", "libpam0g", "libaudit1", "libcap-ng0", "libselinux1",
                "libpcre2-8-0", "busybox-static", LIBC)  # fmt: skip
    binaries = ("/usr/sbin/openrc-init", "/usr/sbin/openrc", "/usr/sbin/openrc-run", "/usr/sbin/supervise-daemon",
                "/usr/sbin/rc-service", "/usr/bin/rc-status", "/usr/sbin/openrc-shutdown")  # fmt: skip
    remark = "supervise-daemon, rc_parallel, busybox's shell"
    patience = 400
    stop_time = 120
    rounds = 1

    def fill(self, space: Space, count: int) -> None:
        for applet in _APPLETS:
            link = space.tree / "usr/bin" / applet
            if not link.exists() and not link.is_symlink():
                link.symlink_to("busybox")
        space.write("etc/rc.conf", 'rc_parallel="YES"\nrc_sys="lxc"\nrc_logger="NO"\n')
        for level in ("sysinit", "boot", "default", "shutdown"):
            folder = space.tree / "etc/runlevels" / level
            folder.mkdir(parents=True, exist_ok=True)
            for link in folder.iterdir():
                link.unlink()
        for number in range(1, count + 1):
            name = f"s{number:04}"
            space.write(f"etc/init.d/{name}", _SCRIPT.format(program=SERVICE, number=number), 0o755)
            (space.tree / "etc/runlevels/default" / name).symlink_to(f"/etc/init.d/{name}")

    @property
    def command(self) -> list[str]:
        return ["/usr/sbin/openrc-init"]

    def request_stop(self, space: Space) -> None:
        space.inside("/usr/sbin/openrc", "shutdown")
