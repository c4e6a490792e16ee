"""What this machine can give a VM: an accelerator that really works, memory, a free port."""

from __future__ import annotations

import functools
import os
import re
import socket
import subprocess
import tempfile
from pathlib import Path

from driver import host_tools
from driver.errors import TholeError
from qemu.platforms import PLATFORMS

MIB = 1 << 20
OVERHEAD = 300 * MIB  # QEMU itself: translated code, device models, page tables
TRIAL_SECONDS = 10
TRIAL_EXIT = 33  # isa-debug-exit ends QEMU with (value << 1) | 1
TRIAL_PORT, TRIAL_VALUE = 0xF4, 0x10


@functools.cache
def qemu_command(program: str = PLATFORMS["x86_64"].emulator) -> tuple[str, ...]:
    """argv of QEMU, the same version on every machine.

    Under the 7.2 of Debian 12, a guest kernel died of an unexplained int3 in code with a static key (TCG, two
    processors; reported upstream for 8.0 too). It has not been seen with Debian 13's.
    """
    data = host_tools.unpacked(program) / "usr/share"
    return (*host_tools.tool(program), "-L", f"{data}/qemu", "-L", f"{data}/seabios")


def trial_firmware() -> bytes:
    """A 64 KiB ROM whose reset vector writes to the exit port: `mov al, VALUE; out PORT, al; hlt`."""
    rom = bytearray(b"\xf4" * 65536)
    rom[0xFFF0:0xFFF5] = bytes([0xB0, TRIAL_VALUE, 0xE6, TRIAL_PORT, 0xF4])
    return bytes(rom)


@functools.cache
def accelerator(kernel: Path, architecture: str = "x86_64") -> str:
    """`kvm` where this kernel has just run under it, else `tcg`.

    /dev/kvm may be there and of no use (nested, forbidden, another architecture), and where a few
    instructions run a whole kernel may still hang: so five bytes are tried first, then the kernel itself. The bytes
    are x86's: machines of aarch64 are always emulated.
    """
    if architecture != "x86_64":
        return "tcg"
    usable = os.access("/dev/kvm", os.R_OK | os.W_OK) and firmware_runs("kvm", "host")
    return "kvm" if usable and kernel_runs("kvm", "host", kernel) else "tcg"


def firmware_runs(name: str, cpu: str) -> bool:
    """Whether a guest executes instructions under this accelerator of QEMU."""
    with tempfile.TemporaryDirectory(prefix="thole-trial-") as folder:
        firmware = Path(folder) / "trial.rom"
        firmware.write_bytes(trial_firmware())
        status = trial(
            name, cpu, "-m", "8", "-bios", os.fspath(firmware),
            "-device", f"isa-debug-exit,iobase={TRIAL_PORT:#x},iosize=1",
        )  # fmt: skip
        return status == TRIAL_EXIT


def kernel_runs(name: str, cpu: str, kernel: Path) -> bool:
    """Whether a kernel comes as far as its panic about the missing root, which ends QEMU with 0."""
    return (
        trial(name, cpu, "-m", "512", "-smp", "2", "-kernel", os.fspath(kernel), "-append", "panic=-1") == 0
    )


def trial(name: str, cpu: str, *arguments: str) -> int | None:
    """QEMU's exit status for a small VM, or None when it did not end in time."""
    argv = [
        *qemu_command(), "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-machine", "q35",
        "-accel", name, "-cpu", cpu, *arguments,
    ]  # fmt: skip
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=TRIAL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return None
    return done.returncode


def parse_size(text: str) -> int:
    """`2G`, `1536M`, `512` (MiB) in bytes."""
    match = re.fullmatch(r"(\d+)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    if not match:
        raise TholeError(
            f"`{text}` is no size", "write a number with K, M, G or T behind it, for instance 2G"
        )
    unit = {"K": 1 << 10, "": MIB, "M": MIB, "G": 1 << 30, "T": 1 << 40}[match[2].upper()]
    return int(match[1]) * unit


def available_memory(proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes that this process may still use: the machine's, or less in a limited control group."""
    match = re.search(r"^MemAvailable:\s+(\d+) kB", (proc / "meminfo").read_text(), re.MULTILINE)
    free = int(match[1]) * 1024 if match else 1 << 62
    try:
        own = re.search(r"^0::/?(.*)$", (proc / "self/cgroup").read_text(), re.MULTILINE)
    except OSError:
        return free
    folder = cgroups / own[1] if own else cgroups
    while folder == cgroups or cgroups in folder.parents:
        try:
            limit = (folder / "memory.max").read_text().strip()
            if limit != "max":
                free = min(free, int(limit) - int((folder / "memory.current").read_text()))
        except (OSError, ValueError):
            pass  # no such file in the root group, or cgroup v1: then there is no limit that we could read
        folder = folder.parent
    return max(free, 0)


def check_memory(wanted: int, minimum: int, available: int | None = None) -> None:
    """Refuse a VM that is too small for a node, or larger than what this machine has left."""
    if wanted < minimum:
        raise TholeError(
            f"{wanted // MIB} MiB of memory are too little for a node: it needs {minimum // MIB} MiB",
            f"give it more: --memory {minimum // MIB}M",
        )
    free = available_memory() if available is None else available
    if wanted + OVERHEAD > free:
        raise TholeError(
            f"this machine has {free // MIB} MiB of memory left, and a VM of {wanted // MIB} MiB"
            f" takes {(wanted + OVERHEAD) // MIB} MiB with QEMU itself",
            f"end other programs, or give the VM less with --memory (at least {minimum // MIB}M)",
        )


def choose_port(port: str | int, address: str = "127.0.0.1") -> int:
    """The port of this machine that leads to the API server: a number that must be free, or `auto`."""
    if port == "auto":
        with socket.socket() as probe:
            probe.bind((address, 0))
            return probe.getsockname()[1]
    try:
        number = int(port)
    except ValueError:
        number = -1
    if not 1 <= number <= 65535:
        raise TholeError(f"`{port}` is no port", "give a number from 1 to 65535, or --port auto")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as QEMU will
        try:
            probe.bind((address, number))
        except OSError as error:
            raise TholeError(
                f"port {number} of {address}, which was to lead to the node's API server, cannot be used:"
                f" {(error.strerror or str(error)).lower()}",
                f"choose another with --port NUMBER or --port auto; its owner: `ss -ltnp sport = :{number}`",
            ) from error
    return number
