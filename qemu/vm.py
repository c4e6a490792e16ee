"""One virtual machine: its hardware, its start and its end."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from driver.errors import TholeError
from qemu import firmware, host, root_folder
from qemu.agent import Agent
from qemu.artifacts import Artifacts
from qemu.console import Console
from qemu.images import make_sparse
from qemu.platforms import PLATFORMS, Platform
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
COMMAND_LINE = f"loglevel=5 panic=10 {BUSY_HOST}"
MACHINE = PLATFORMS["x86_64"].machine
# A machine without firmware tables about itself (SMBIOS, which Linux calls DMI), with the same devices on PCI.
MICROVM = "microvm,acpi=on,pcie=on,rtc=on,isa-serial=on,pit=on,pic=on"
PORT_TRIES = 3
# QEMU ends itself by this where one emulated processor uses memory that another is just mapping anew, which Linux does
# while it looks at PCI devices: a race in QEMU's TCG with several processors (its issue 1921), seen in 10.0.
EMULATOR_FAULT = "iotlb_to_section: Assertion"


class VmError(TholeError):
    """The VM did not start, or ended when it should not have."""


@dataclass
class VmConfig:
    """What to start. Sizes are bytes, `folder` keeps logs and the data disk."""

    artifacts: Artifacts
    folder: Path
    name: str = "node"
    machine: str = ""  # default: that of the build's architecture
    memory: int = 2 * GIB
    minimum_memory: int = MINIMUM_MEMORY
    cpus: int = 2
    port: str | int = API_PORT
    uefi_disk: Path | None = None  # what UEFI boots, written by the guest, in place of kernel and root of the build
    secure_boot: bool = False  # the firmware checks signatures, once keys are enrolled
    initramfs: Path | None = None  # beside the build's kernel, in place of the root
    firmware: bool = False  # a PC's BIOS, and what it finds to boot: `uefi_disk`, or something of `extra`
    root_folder: Path | None = None  # the root file system by virtio-9p, in place of the disk
    data_disk: Path | None = None  # default: data.img in the folder
    data_size: int = 8 * GIB
    throwaway: bool = False  # the data disk need not survive a power cut of this machine: no flushes
    write_log: Path | None = None  # every write to the data disk is kept here too, for qemu.write_log
    root_write_log: Path | None = None  # the same of the disk that UEFI boots
    node_config: Path | None = None  # handed over as the fw_cfg file opt/thole/node.ini
    command_line: str = ""  # added to the kernel's
    reboots: bool = True  # False: a reset ends QEMU
    network: bool = True
    deadline: float | None = None  # QEMU is killed after so many seconds
    console_socket: Path | None = None  # QEMU connects its console here, for a terminal
    accelerator: str | None = None  # default: tried
    counted: bool = False  # emulated with one nanosecond an instruction: the guest's clock counts them
    before_start: Callable[[], object] = lambda: None  # of QEMU, each time
    after_start: Callable[[Vm], object] = lambda vm: None
    extra: list[str] = field(default_factory=list)  # more arguments for QEMU

    @property
    def platform(self) -> Platform:
        """The kind of machine that the build is for."""
        return PLATFORMS[self.artifacts.architecture]

    @property
    def kernel_arguments(self) -> str:
        """The kernel's command line but for the root."""
        return f"console={self.platform.console} {COMMAND_LINE} {self.command_line}".strip()

    @property
    def has_data_disk(self) -> bool:
        """A disk that UEFI boots has a partition for data."""
        return self.uefi_disk is None or self.data_disk is not None

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
        config.before_start()
        config.folder.mkdir(parents=True, exist_ok=True)
        if config.has_data_disk and not config.data.exists():
            make_sparse(config.data, config.data_size)
        for log in (config.write_log, config.root_write_log):
            if log:
                log.write_bytes(b"")  # QEMU makes no file for it
        # Socket paths have at most 107 bytes: the sockets go to a short place of their own.
        self._sockets = Path(tempfile.mkdtemp(prefix="thole-vm-"))
        for left in reversed(range(PORT_TRIES)):
            self.console.path.unlink(missing_ok=True)
            self._process = Process(self.arguments(), config.folder / "qemu.log", config.deadline)
            try:
                self._qmp = Qmp.connect(self._sockets / "qmp", self.alive)
                config.after_start(self)
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

    def emulator_failed(self) -> bool:
        """Whether QEMU has ended by a known fault of its own, which is no word about the guest."""
        return bool(self._process and not self.alive() and EMULATOR_FAULT in self._process.complaint())

    def start_again(self) -> None:
        """Start QEMU with the same disks; for the guest it is as if its power had been cut."""
        self.kill()
        self._agent = self._qmp = None
        self.start()

    def arguments(self) -> list[str]:
        """QEMU's command line."""
        config = self.config
        platform = config.platform
        acceleration = config.accelerator or host.accelerator(config.artifacts.kernel, config.artifacts.architecture)
        argv = [
            *host.qemu_command(platform.emulator),
            "-nodefaults",
            "-no-user-config",
            "-display",
            "none",
            "-name",
            config.name,
        ]
        argv += ["-machine", (config.machine or platform.machine) + (",smm=on" if config.secure_boot else "")]
        if config.counted:
            argv += ["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off", "-cpu", platform.processor]
        elif acceleration == "kvm":
            argv += ["-accel", "kvm", "-cpu", "host"]
        else:
            argv += ["-accel", "tcg,thread=multi", "-cpu", platform.processor]
        argv += ["-smp", str(config.cpus), "-m", f"{config.memory // host.MIB}M"]
        argv += self._boot()
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

    def _boot(self) -> list[str]:
        """The kernel, or firmware that finds one on the disk."""
        config = self.config
        if config.firmware:
            return []
        if config.uefi_disk:
            return firmware.devices(config.folder, platform=config.platform, secure=config.secure_boot)
        if config.initramfs:
            initrd = ["-initrd", str(config.initramfs)]
            return ["-kernel", str(config.artifacts.kernel), *initrd, "-append", config.kernel_arguments]
        root = root_folder.COMMAND_LINE if config.root_folder else ROOT_ON_DISK
        return ["-kernel", str(config.artifacts.kernel), "-append", f"{root} {config.kernel_arguments}"]

    def _root(self) -> list[str]:
        """The disk with the root file system, or the folder."""
        config = self.config
        if config.root_folder:
            return root_folder.devices(config.root_folder)
        if config.initramfs or (config.firmware and not config.uefi_disk):
            return []
        disk = escape(config.uefi_disk or config.artifacts.disk)
        only = "off" if config.uefi_disk else "on"
        root = f"driver=raw,node-name=root,read-only={only},file.driver=file,file.filename={disk}"
        logged = logging_layer("root-logged", "root", config.root_write_log)
        drive = "root-logged" if logged else "root"
        return ["-blockdev", root, *logged, "-device", f"virtio-blk-pci,drive={drive},serial=thole-root"]

    def _disks(self) -> list[str]:
        config = self.config
        if not config.has_data_disk:
            return self._root()
        data = escape(config.data)
        form = "qcow2" if config.data.suffix == ".qcow2" else "raw"
        no_flush = "on" if config.throwaway else "off"
        return [
            *self._root(),
            "-blockdev", (
                f"driver={form},node-name=data,discard=unmap,cache.no-flush={no_flush},"
                f"file.driver=file,file.discard=unmap,file.cache.no-flush={no_flush},file.filename={data}"
            ),
            *logging_layer("logged", "data", config.write_log),
            "-device", f"virtio-blk-pci,drive={'logged' if config.write_log else 'data'},serial=thole-data",
        ]  # fmt: skip

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


def logging_layer(name: str, below: str, log: Path | None) -> list[str]:
    """A layer before a disk that keeps each write and flush in a file; nothing without one."""
    if not log:
        return []
    return ["-blockdev", f"driver=blklogwrites,node-name={name},file={below},log.driver=file,log.filename={escape(log)}"]


def escape(path: Path) -> str:
    """A path inside one of QEMU's comma-separated options."""
    return str(path.absolute()).replace(",", ",,")
