"""One virtual machine: its hardware, its start and its end."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from driver.errors import TholeError
from qemu import host, root_folder
from qemu.agent import Agent
from qemu.artifacts import Artifacts
from qemu.console import Console
from qemu.images import make_sparse
from qemu.process import Process
from qemu.qmp import Qmp

GIB = 1 << 30
MINIMUM_MEMORY = GIB
API_PORT = 6443
AGENT_PORT = "org.qemu.guest_agent.0"
# What a busy host must not be taken for. The kernel's look at its timer may come too late: it panics though the timer
# works; a processor that its host leaves without time for twenty seconds is no lockup and no stall (two minutes are).
BUSY_HOST = "no_timer_check watchdog_thresh=60 rcupdate.rcu_cpu_stall_timeout=120"
ROOT_ON_DISK = "root=PARTLABEL=thole-root-a ro"
COMMAND_LINE = f"console=ttyS0 loglevel=5 panic=10 {BUSY_HOST}"
PORT_TRIES = 3


class VmError(TholeError):
    """The VM did not start, or ended when it should not have."""


@dataclass
class VmConfig:
    """What to start. Sizes are bytes, `folder` keeps logs and the data disk."""

    artifacts: Artifacts
    folder: Path
    name: str = "node"
    memory: int = 2 * GIB
    minimum_memory: int = MINIMUM_MEMORY
    cpus: int = 2
    port: str | int = API_PORT
    root_folder: Path | None = None  # the root file system by virtio-9p, in place of the disk
    data_disk: Path | None = None  # default: data.img in the folder
    data_size: int = 8 * GIB
    throwaway: bool = False  # the data disk need not survive a power cut of this machine: no flushes
    write_log: Path | None = None  # every write to the data disk is kept here too, for qemu.write_log
    node_config: Path | None = None  # handed over as the fw_cfg file opt/thole/node.ini
    command_line: str = ""  # added to the kernel's
    reboots: bool = True  # False: a reset ends QEMU
    network: bool = True
    deadline: float | None = None  # QEMU is killed after so many seconds
    console_socket: Path | None = None  # QEMU connects its console here, for a terminal
    accelerator: str | None = None  # default: tried
    extra: list[str] = field(default_factory=list)  # more arguments for QEMU

    @property
    def data(self) -> Path:
        """The data disk's path."""
        return self.data_disk or self.folder / "data.img"


class Vm:
    """A running VM. Leave it by `with`, `kill` or the guest's own power-off."""

    def __init__(self, config: VmConfig) -> None:
        self.config = config
        self.port = 0
        self.console = Console(config.folder / "console.log")
        self._sockets: Path | None = None
        self._process: Process | None = None
        self._qmp: Qmp | None = None
        self._agent: Agent | None = None

    def start(self) -> Vm:
        """Check everything that can be checked, then start QEMU; call it in a thread that outlives the VM."""
        config = self.config
        config.artifacts.check()
        host.check_memory(config.memory, config.minimum_memory)
        if config.node_config and not config.node_config.is_file():
            raise TholeError(f"the node configuration {config.node_config} is not there")
        self._choose_port()
        config.folder.mkdir(parents=True, exist_ok=True)
        if not config.data.exists():
            make_sparse(config.data, config.data_size)
        if config.write_log:
            config.write_log.write_bytes(b"")  # QEMU makes no file for it
        # Socket paths have at most 107 bytes: the sockets go to a short place of their own.
        self._sockets = Path(tempfile.mkdtemp(prefix="thole-vm-"))
        for left in reversed(range(PORT_TRIES)):
            self.console.path.unlink(missing_ok=True)
            self._process = Process(self.arguments(), config.folder / "qemu.log", config.deadline)
            try:
                self._qmp = Qmp.connect(self._sockets / "qmp", self.alive)
                return self
            except TholeError as error:
                self._process.kill()
                said = self._process.complaint()
                # Another program took the port that `auto` found between the look and QEMU's start.
                if left and config.port == "auto" and "host forwarding" in said:
                    self._choose_port()
                    continue
                self._remove_sockets()
                raise VmError(
                    f"QEMU did not start: {said or error.what}", f"its log: {self._process.log}"
                ) from error
        raise AssertionError("unreachable")

    def arguments(self) -> list[str]:
        """QEMU's command line."""
        config = self.config
        acceleration = config.accelerator or host.accelerator(config.artifacts.kernel)
        root = root_folder.COMMAND_LINE if config.root_folder else ROOT_ON_DISK
        line = f"{root} {COMMAND_LINE} {config.command_line}".strip()
        argv = [
            *host.qemu_command(),
            "-nodefaults",
            "-no-user-config",
            "-display",
            "none",
            "-name",
            config.name,
        ]
        argv += ["-machine", "q35,hpet=off,vmport=off,smbus=off,sata=off,graphics=off"]
        argv += ["-accel", "kvm", "-cpu", "host"] if acceleration == "kvm" else []
        argv += ["-accel", "tcg,thread=multi", "-cpu", "max"] if acceleration != "kvm" else []
        argv += ["-smp", str(config.cpus), "-m", f"{config.memory // host.MIB}M"]
        argv += ["-kernel", str(config.artifacts.kernel), "-append", line]
        argv += [] if config.reboots else ["-no-reboot"]
        argv += self._disks() + self._network() + self._channels()
        argv += ["-device", "virtio-rng-pci"]
        if config.node_config:
            argv += ["-fw_cfg", f"name=opt/thole/node.ini,file={escape(config.node_config)}"]
        return argv + config.extra

    def alive(self) -> bool:
        """Whether QEMU runs."""
        return self._process is not None and self._process.alive()

    @property
    def pid(self) -> int:
        """QEMU's process id."""
        if not self._process:
            raise VmError("the VM was not started")
        return self._process.pid

    @property
    def qmp(self) -> Qmp:
        """QEMU's monitor."""
        if not self._qmp:
            raise VmError("the VM was not started")
        return self._qmp

    @property
    def agent(self) -> Agent:
        """The guest agent's channel; wait for the guest with `agent.wait`."""
        if not self._agent:
            if not self._sockets:
                raise VmError("the VM was not started")
            self._agent = Agent.connect(self._sockets / "agent", self.alive)
        return self._agent

    def wait_end(self, timeout: float) -> None:
        """Until QEMU ends by itself, as it does when the guest powers off."""
        if not self._process:
            raise VmError("the VM was not started")
        status = self._process.wait(timeout)
        if status is None:
            raise VmError(f"the VM still runs after {timeout:.0f} s:\n{self.console.tail()}")
        if self._process.overdue:
            raise VmError(
                f"the VM was killed at its deadline of {self._process.deadline:.0f} s:\n{self.console.tail()}"
            )
        if status != 0:
            raise VmError(
                f"QEMU ended with {status}: {self._process.complaint()}", f"its log: {self._process.log}"
            )

    def explain(self) -> str:
        """How the VM stands, for the end of a failure's message."""
        if self._process and self._process.overdue:
            state = f"killed at its deadline of {self._process.deadline:.0f} s"
        else:
            state = "running" if self.alive() else "ended"
        console = f"the end of its console {self.console.path}:\n{self.console.tail()}"
        return f"VM {self.config.name} ({state}), {console}"

    def cut_power(self) -> None:
        """End QEMU now; who waits for an answer of the guest is told that it is gone."""
        if self._process:
            self._process.kill()

    def kill(self) -> None:
        """End QEMU now (a power cut for the guest) and take away its sockets."""
        self.cut_power()
        for connection in (self._qmp, self._agent):
            if connection:
                connection.close()
        self._remove_sockets()

    def __enter__(self) -> Vm:
        return self if self._process else self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _choose_port(self) -> None:
        self.port = host.choose_port(self.config.port) if self.config.network else 0

    def _disks(self) -> list[str]:
        config = self.config
        data = escape(config.data)
        form = "qcow2" if config.data.suffix == ".qcow2" else "raw"
        disk = escape(config.artifacts.disk)
        root = f"driver=raw,node-name=root,read-only=on,file.driver=file,file.filename={disk}"
        no_flush = "on" if config.throwaway else "off"
        on_disk = ["-blockdev", root, "-device", "virtio-blk-pci,drive=root,serial=thole-root"]
        return [
            *(root_folder.devices(config.root_folder) if config.root_folder else on_disk),
            "-blockdev", (
                f"driver={form},node-name=data,discard=unmap,cache.no-flush={no_flush},"
                f"file.driver=file,file.discard=unmap,file.cache.no-flush={no_flush},file.filename={data}"
            ),
            *self._write_log(),
            "-device", f"virtio-blk-pci,drive={'logged' if config.write_log else 'data'},serial=thole-data",
        ]  # fmt: skip

    def _write_log(self) -> list[str]:
        """A layer before the data disk that keeps each write and flush in a file."""
        if not self.config.write_log:
            return []
        log = escape(self.config.write_log)
        return ["-blockdev", f"driver=blklogwrites,node-name=logged,file=data,log.driver=file,log.filename={log}"]

    def _network(self) -> list[str]:
        if not self.config.network:
            return []
        return [
            "-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{self.port}-:{API_PORT}",
            "-device", "virtio-net-pci,netdev=net,romfile=",
        ]  # fmt: skip

    def _channels(self) -> list[str]:
        assert self._sockets
        log = escape(self.console.path)
        if self.config.console_socket:
            console = (
                f"socket,id=console,path={escape(self.config.console_socket)},logfile={log},logappend=off"
            )
        else:
            console = f"file,id=console,path={log}"
        return [
            "-chardev", console, "-serial", "chardev:console",
            "-chardev", f"socket,id=qmp,path={escape(self._sockets / 'qmp')},server=on,wait=off",
            "-mon", "chardev=qmp,mode=control",
            "-chardev", f"socket,id=agent,path={escape(self._sockets / 'agent')},server=on,wait=off",
            "-device", "virtio-serial-pci", "-device", f"virtserialport,chardev=agent,name={AGENT_PORT}",
        ]  # fmt: skip

    def _remove_sockets(self) -> None:
        if self._sockets:
            shutil.rmtree(self._sockets, ignore_errors=True)


def escape(path: Path) -> str:
    """A path inside one of QEMU's comma-separated options."""
    return str(path.absolute()).replace(",", ",,")
