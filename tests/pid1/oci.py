"""Containers as Docker makes them, run by the real runc in a test machine: the bundle, and what is done with it."""

from __future__ import annotations

import json
import os
import posixpath
import signal
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pid1.agent import Command, Completed
from pid1.machine import PATIENCE, Machine, Unit, parse_unit
from pid1.tree import Programs

from qemu.artifacts import one
from rootfs import elf

RUNC = "/usr/sbin/runc"
IMAGE = "usr/lib/container-image"  # in the machine's root: the lower layer of every container
PLACE = "/var/lib/containers"
ADDRESS = "172.17.0.2"  # of Docker's first container
HOST_NAME = "0123456789ab"
STARTED = 60
LIBRARIES = ("usr/lib/x86_64-linux-gnu", "usr/lib64")

# Docker's profile for `docker run` without options: moby, oci/caps/defaults.go, oci/defaults.go and profiles/seccomp.
CAPABILITIES = (
    "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL "
    "AUDIT_WRITE"
)
MORE_CAPABILITIES = (
    "DAC_READ_SEARCH LINUX_IMMUTABLE NET_BROADCAST NET_ADMIN IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_PTRACE "
    "SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG LEASE AUDIT_CONTROL MAC_OVERRIDE "
    "MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
)
MASKED = (
    "/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
    "/sys/devices/virtual/powercap",
)  # fmt: skip
READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
NAMESPACES = ("mount", "uts", "ipc", "pid", "network")
FROM_ENGINE = ("hostname", "hosts", "resolv.conf")
DEVICES = (  # in the order of Docker's rules: what may be used, though anything may be made
    ("c", None, None, "m"), ("b", None, None, "m"), ("c", 1, 3, "rwm"), ("c", 1, 5, "rwm"), ("c", 1, 7, "rwm"),
    ("c", 1, 8, "rwm"), ("c", 1, 9, "rwm"), ("c", 5, 0, "rwm"), ("c", 5, 2, "rwm"), ("c", 136, None, "rwm"),
)  # fmt: skip


@dataclass(frozen=True)
class Options:
    """What stands on the command line of `docker run`."""

    privileged: bool = False
    host_cgroups: bool = False  # --cgroupns=host
    terminal: bool = False  # -t
    command: tuple[str, ...] = ("/sbin/init",)
    environment: Mapping[str, str] = field(default_factory=dict)
    volumes: Mapping[str, str] = field(default_factory=dict)  # place in the machine by place in the container
    tmpfs: tuple[str, ...] = ()
    own_cgroups: bool = False  # writable, as podman makes them where the command is an init
    refused: str = ""  # the error with which clone3 is refused, as by a profile of before 2021


def install(root: Path, build: Path) -> None:
    """Put runc with its libraries, and the lower layer of the containers, into the tree of a machine."""
    with tarfile.open(one(build, "root.tar")) as archive:
        for path in sorted(needed(archive, RUNC.lstrip("/"))):
            member = archive.getmember(path)
            archive.extract(member, root, filter="fully_trusted")
    loader = root / "lib64"  # the interpreter's path in each program
    loader.symlink_to("usr/lib64")
    programs = Programs.find(build)
    image = root / IMAGE
    # What a Dockerfile of `FROM scratch` and four lines would make: nothing of a node's own root.
    for name in ("sbin", "usr/bin", "usr/lib/thole/units", "etc", "proc", "sys", "dev", "run", "tmp", "var", "root"):
        (image / name).mkdir(parents=True)
    os.chmod(image / "tmp", 0o1777)
    for source, target in ((programs.init, "sbin/init"), (programs.actor, "usr/bin/actor")):
        (image / target).write_bytes(source.read_bytes())
        os.chmod(image / target, 0o755)
    (image / "usr/bin/thole").symlink_to("/sbin/init")
    (image / "etc/passwd").write_text("root:x:0:0:root:/root:/sbin/nologin\n")
    (image / "etc/group").write_text("root:x:0:\n")


def needed(archive: tarfile.TarFile, program: str) -> set[str]:
    """A program of an archive, its interpreter, the libraries that these load, and the links on the way."""
    found: set[str] = set()
    pending = [program]
    while pending:
        path = pending.pop()
        if path in found:
            continue
        found.add(path)
        member = archive.getmember(path)
        if member.issym():
            pending.append(posixpath.normpath(posixpath.join(posixpath.dirname(path), member.linkname)))
            continue
        file = archive.extractfile(member)
        assert file, path
        content = file.read()
        facts = elf.parse(lambda offset, size, content=content: content[offset : offset + size])
        pending += [f"usr{facts.interpreter}"] if facts.interpreter else []
        pending += [path_of(archive, name) for name in facts.needed]
    return found


def path_of(archive: tarfile.TarFile, library: str) -> str:
    """Where the loader finds a library."""
    for folder in LIBRARIES:
        try:
            return archive.getmember(f"{folder}/{library}").name
        except KeyError:
            continue
    raise AssertionError(f"the node's root has no {library}")


def profile(options: Options, devices: list[dict[str, Any]]) -> dict[str, Any]:
    """config.json as Docker hands it to runc."""
    names = (f"{CAPABILITIES} {MORE_CAPABILITIES}" if options.privileged else CAPABILITIES).split()
    capabilities = [f"CAP_{name}" for name in names]
    environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME": HOST_NAME}
    environment |= {"TERM": "xterm"} if options.terminal else {}
    environment |= {"HOME": "/root", **options.environment}
    private = () if options.host_cgroups else ("cgroup",)
    linux: dict[str, Any] = {
        "cgroupsPath": "/docker/NAME",
        "namespaces": [{"type": kind} for kind in (*NAMESPACES, *private)],
        "resources": {"devices": rules(options.privileged)},
        "maskedPaths": [] if options.privileged else list(MASKED),
        "readonlyPaths": [] if options.privileged else list(READ_ONLY),
        "devices": devices if options.privileged else [],
    }
    if options.refused:
        error = {"ENOSYS": 38, "EPERM": 1}[options.refused]
        refusal = {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": error}
        linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [refusal]}
    hook = {"path": "/usr/bin/actor", "args": ["actor", "make-interface", "eth0", ADDRESS]}
    return {
        "ociVersion": "1.0.2",
        "hostname": HOST_NAME,
        "process": {
            "terminal": options.terminal,
            "user": {"uid": 0, "gid": 0},
            "args": list(options.command),
            "env": [f"{name}={value}" for name, value in environment.items()],
            "cwd": "/",
            "oomScoreAdj": 0,
            # What a daemon that systemd starts hands on to its containers.
            "rlimits": [
                {"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 524288},
                {"type": "RLIMIT_MEMLOCK", "soft": 8388608, "hard": 8388608},
            ],
            "capabilities": {kind: capabilities for kind in ("bounding", "effective", "permitted")},
        },
        "root": {"path": "rootfs", "readonly": False},
        "mounts": mounts(options),
        "hooks": {"createContainer": [hook]},
        "linux": linux,
    }


def rules(privileged: bool) -> list[dict[str, Any]]:
    """Docker's rules for devices."""
    if privileged:
        return [{"allow": True, "access": "rwm"}]
    listed: list[dict[str, Any]] = [{"allow": False, "access": "rwm"}]
    for kind, major, minor, access in DEVICES:
        rule: dict[str, Any] = {"allow": True, "type": kind, "access": access}
        rule |= {"major": major} if major is not None else {}
        rule |= {"minor": minor} if minor is not None else {}
        listed.append(rule)
    return listed


def mounts(options: Options) -> list[dict[str, Any]]:
    """Docker's mounts, the files that it writes for each container, and volumes."""
    writable = "rw" if options.privileged else "ro"
    plain = ["nosuid", "noexec", "nodev"]
    listed = [
        ("/proc", "proc", "proc", plain),
        ("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        ("/dev/pts", "devpts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
        ("/sys", "sysfs", "sysfs", [*plain, writable]),
        ("/sys/fs/cgroup", "cgroup", "cgroup", [*plain, "rw" if options.own_cgroups else writable]),
        ("/dev/mqueue", "mqueue", "mqueue", plain),
        ("/dev/shm", "tmpfs", "shm", [*plain, "mode=1777", "size=67108864"]),
    ]
    listed += [(f"/etc/{name}", "bind", f"FOLDER/{name}", ["rbind", "rprivate"]) for name in FROM_ENGINE]
    listed += [(target, "tmpfs", "tmpfs", plain) for target in options.tmpfs]
    listed += [(target, "bind", source, ["rbind", "rprivate"]) for target, source in options.volumes.items()]
    return [
        {"destination": target, "type": kind, "source": source, "options": list(flags)}
        for target, kind, source, flags in listed
    ]


def place_of(name: str) -> str:
    """Where a unit, or a file of another name, lies below /usr/lib/thole."""
    return name if "." in name else f"units/{name}.unit"


class Container:
    """A container of a name. It is started by `run`, and again (`docker start`) by another one."""

    def __init__(self, machine: Machine, name: str, units: Mapping[str, str], options: Options | None = None) -> None:
        self.machine = machine
        self.name = name
        self.options = options or Options()
        self.folder = f"{PLACE}/{name}"
        self.root = f"{self.folder}/rootfs"
        self.command: Command | None = None
        self._make(units)

    def _make(self, units: Mapping[str, str]) -> None:
        layers = {layer: f"{self.folder}/{layer}" for layer in ("upper", "work", "rootfs")}
        for path in (self.folder, *layers.values()):
            self.machine.act("make-directory", path)
        overlay = f"lowerdir=/{IMAGE},upperdir={layers['upper']},workdir={layers['work']}"
        self.machine.act("mount", "overlay", self.root, overlay)
        files = {f"{self.root}/usr/lib/thole/{place_of(name)}": text for name, text in units.items()}
        files[f"{self.folder}/hostname"] = f"{HOST_NAME}\n"
        files[f"{self.folder}/hosts"] = f"127.0.0.1\tlocalhost\n10.9.8.7\tdatabase\n{ADDRESS}\t{HOST_NAME}\n"
        files[f"{self.folder}/resolv.conf"] = "nameserver 127.0.0.11\noptions ndots:0\n"
        text = json.dumps(profile(self.options, self._devices())).replace("/docker/NAME", f"/docker/{self.name}")
        files[f"{self.folder}/config.json"] = text.replace("FOLDER", self.folder)
        self.machine.agent.write_many(files)

    def _devices(self) -> list[dict[str, Any]]:
        """All devices of the machine but the console, as --privileged gives them; none is opened, not the watchdogs."""
        devices = []
        there = set(self.machine.names("/dev")) - {"console"}
        for folder, kind in (("/sys/dev/char", "c"), ("/sys/dev/block", "b")):
            for line in self.machine.names(folder):
                number, _, target = line.partition(" -> ")
                name = posixpath.basename(target)
                if name in there:
                    major, minor = map(int, number.split(":"))
                    mode = {"type": kind, "major": major, "minor": minor, "fileMode": 0o600, "uid": 0, "gid": 0}
                    devices.append({"path": f"/dev/{name}", **mode})
        return devices

    # -- docker run, stop, kill, exec --------------------------------------------------------------------------------

    def run(self) -> Container:
        """`docker run`: runc in the foreground, which ends as the container ends.

        With a terminal it goes into the background and hands the terminal over; what the container says there comes
        from the one who took it.
        """
        words = ["run", "--bundle", self.folder]
        if self.options.terminal:
            socket = f"{self.folder}/terminal"
            self.command = self.machine.begin("terminal", socket)
            self.command.wait_output("listening")
            done = self.machine.run(RUNC, *words, "--detach", "--console-socket", socket, self.name)
            assert done.code == 0, done.stderr
        else:
            self.command = self.machine.agent.begin(RUNC, *words, self.name)
        return self

    def kill(self, number: int) -> None:
        """A signal to PID 1 of the container, as `docker kill --signal` and `docker stop` send it."""
        done = self.machine.run(RUNC, "kill", self.name, str(number))
        assert done.code == 0, done.stderr

    def wait_end(self, timeout: float = PATIENCE) -> int:
        """Until the container has ended; its exit code."""
        assert self.command
        return self.command.wait(timeout).code

    def stop(self, timeout: float = PATIENCE) -> int:
        """`docker stop` without the SIGKILL after ten seconds."""
        self.kill(signal.SIGTERM)
        return self.wait_end(timeout)

    def exec(self, *words: str, timeout: float = 60) -> Completed:
        """`docker exec`."""
        return self.machine.run(RUNC, "exec", self.name, *words, timeout=timeout)

    def remove(self) -> None:
        """`docker rm --force`; files of the container stay where they are."""
        self.machine.run(RUNC, "delete", "--force", self.name)
        if self.command and self.command.status is None:
            self.command.wait(PATIENCE)
        self.machine.act("umount", self.root)

    # -- what can be seen of it --------------------------------------------------------------------------------------

    def console(self) -> str:
        """`docker logs`: what PID 1 has said."""
        if not self.command:
            return ""
        return (self.command.output + self.command.errors).decode(errors="replace").replace("\r", "")

    def wait_console(self, text: str, timeout: float = STARTED) -> None:
        """Until PID 1 has said a text."""

        def said() -> bool:
            assert self.command
            ended = self.command.status is not None
            assert text in self.console() or not ended, f"it ended and never said '{text}':\n{self.console()}"
            return text in self.console()

        try:
            self.machine.agent.wait_for(said, timeout, f"the container did not say '{text}'")
        except AssertionError as error:
            raise AssertionError(f"{error}\nIts console:\n{self.console()}") from None

    def units(self) -> dict[str, Unit]:
        """PID 1's answer to `status`."""
        done = self.exec("/usr/bin/actor", "ask", "status")
        assert done.code == 0, f"{done}\n{self.console()}"
        return {unit.name: unit for unit in map(parse_unit, done.stdout.splitlines()[1:])}

    def wait_unit(self, name: str, what: str, holds: Callable[[Unit], bool], timeout: float = PATIENCE) -> Unit:
        """Until a unit is as wanted."""
        found = Unit(name)

        def looked() -> bool:
            nonlocal found
            found = self.units()[name]
            return holds(found)

        try:
            self.machine.until(what, looked, timeout)
        except AssertionError:
            raise AssertionError(f"{name} is not {what}: {found}\n{self.console()}") from None
        return found

    def info(self) -> dict[str, str]:
        """PID 1's answer to `info`."""
        done = self.exec("/usr/bin/actor", "ask", "info")
        assert done.code == 0, f"{done}\n{self.console()}"
        return dict(line.split("=", 1) for line in done.stdout.splitlines()[1:])

    def state(self) -> dict[str, Any]:
        """What runc says of it."""
        done = self.machine.run(RUNC, "state", self.name)
        assert done.code == 0, done.stderr
        return json.loads(done.stdout)

    def pid(self) -> int:
        """PID 1 as the machine sees it."""
        return int(self.state()["pid"])

    def read(self, path: str) -> str:
        """A file as PID 1 sees it."""
        return self.machine.read(f"/proc/{self.pid()}/root{path}")

    def cgroup_of(self, pid: int) -> str:
        """The cgroup of a process that the container calls so."""
        done = self.exec("/usr/bin/actor", "show", f"/proc/{pid}/cgroup")
        assert done.code == 0, done.stderr
        return done.stdout.strip().removeprefix("0::")
