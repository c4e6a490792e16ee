"""The kernel's own build system: one configuration, one compilation, with progress."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from driver.cache import remove_tree
from driver.errors import TholeError
from driver.progress import report

# Objects of a build from nothing, until one has been counted here.
ROUGH_OBJECTS = 3300
_COMPILED = re.compile(r"^  (?:CC|AS)\s")
_TAIL = 30


@dataclass(frozen=True)
class Target:
    """What the kernel calls an architecture, where its image comes out, and what compilers for it are called elsewhere."""

    arch: str
    image: str
    prefix: str

    @property
    def cross(self) -> str:
        """What stands before the names of compiler and linker, nothing on a machine of the same architecture."""
        return "" if platform.machine() == self.prefix.partition("-")[0] else self.prefix


TARGETS = {
    "x86_64": Target("x86_64", "arch/x86/boot/bzImage", "x86_64-linux-gnu-"),
    # The one that unpacks itself, and that UEFI and QEMU's -kernel start.
    "aarch64": Target("arm64", "arch/arm64/boot/vmlinuz.efi", "aarch64-linux-gnu-"),
}


@dataclass(frozen=True)
class Tree:
    """A source tree and the folder that its objects go to."""

    source: Path
    objects: Path
    target: Target
    date: str

    def environment(self) -> dict[str, str]:
        """The environment of make: nothing in it depends on who builds, where and when."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        fixed = {
            "LC_ALL": "C",
            "TZ": "UTC",
            "KBUILD_BUILD_TIMESTAMP": self.date,
            "KBUILD_BUILD_USER": "thole",
            "KBUILD_BUILD_HOST": "thole",
            "KBUILD_BUILD_VERSION": "1",
        }
        return {**kept, **fixed}

    def command(self, *arguments: str) -> list[str]:
        """argv of make for this tree."""
        target = [f"ARCH={self.target.arch}", f"CROSS_COMPILE={self.target.cross}"]
        return ["make", "-C", str(self.source), f"O={self.objects}", *target, *arguments]


def configure(tree: Tree, fragments: str) -> str:
    """The final .config: everything off, then the fragments, then the defaults of what they make visible."""
    tree.objects.mkdir(parents=True, exist_ok=True)
    _quiet(tree, "tinyconfig")
    config = tree.objects / ".config"
    config.write_text(config.read_text() + fragments)
    _quiet(tree, "olddefconfig")
    return config.read_text()


def release(tree: Tree) -> str:
    """The version that `uname -r` will say."""
    return _quiet(tree, "-s", "kernelrelease").strip()


def compile_kernel(tree: Tree, config: str, jobs: int, label: str = "kernel") -> None:
    """Build the image and vmlinux in the objects' folder, going on from what is there when it can be trusted."""
    _drop_untrusted(tree.objects)
    fresh = not (tree.objects / "vmlinux").exists()
    tree.objects.mkdir(parents=True, exist_ok=True)
    current = tree.objects / ".config"
    if not current.exists() or current.read_text() != config:
        current.write_text(config)
    _quiet(tree, "olddefconfig")
    if current.read_text() != config:
        raise TholeError(
            "the kernel's configuration changed between its check and the build",
            "a compiler or pahole was installed meanwhile: repeat the build",
        )
    counted = tree.objects / "objects.count"
    total = (int(counted.read_text()) if counted.exists() else ROUGH_OBJECTS) if fresh else 0
    mark = tree.objects / "building"
    mark.write_text(_boot_id())
    done = _make_with_progress(tree, jobs, total, label)
    mark.unlink()
    if fresh:
        counted.write_text(str(done))


def strip(vmlinux: Path, result: Path, target: Target) -> None:
    """Copy vmlinux without its symbol table: what a VMM loads, with the PVH note that tells it where to enter."""
    command = [f"{target.cross}objcopy", "--strip-all", str(vmlinux), str(result)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise TholeError(f"vmlinux could not be stripped: {done.stderr.strip()}", "is the package binutils whole?")


def _drop_untrusted(objects: Path) -> None:
    """Remove objects that a build was writing when the machine itself went down: they may be empty files."""
    mark = objects / "building"
    if mark.exists() and mark.read_text() != _boot_id():
        remove_tree(objects)


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _make_with_progress(tree: Tree, jobs: int, total: int, label: str) -> int:
    """Run the compilation; every line goes to the log, every compiled file counts. Gives the number of files."""
    command = tree.command(f"-j{jobs}", "vmlinux", Path(tree.target.image).name)
    process = subprocess.Popen(
        command, env=tree.environment(), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
    )
    done, tail = 0, deque(maxlen=_TAIL)
    try:
        for line in process.stdout or ():
            print(line, end="")
            tail.append(line)
            if _COMPILED.match(line):
                done += 1
                if done % 10 == 0:
                    report(label, done, max(total, done) if total else 0, line.split()[-1])
        status = process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise
    if status != 0:
        raise TholeError(f"the kernel did not compile (make's status {status}):\n{_failure_lines(tail)}",
                         "./thole doctor lists missing programs; free disk space is needed too")
    return done


def _failure_lines(tail: deque[str]) -> str:
    """The lines of make's output that say what failed, else its last ones."""
    telling = [line for line in tail if "error" in line.lower() or "***" in line]
    return "".join(telling or list(tail)[-10:]).rstrip()


def _quiet(tree: Tree, *arguments: str) -> str:
    """Run a short make; its output is the answer, or part of the error."""
    if not shutil.which("make"):
        raise TholeError("make is not on this machine", "./thole doctor lists what is missing")
    done = subprocess.run(
        tree.command(*arguments), env=tree.environment(), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False,
    )
    if done.returncode != 0:
        lines = deque((done.stdout + done.stderr).splitlines(keepends=True), maxlen=_TAIL)
        raise TholeError(f"the kernel's make {arguments[-1]} failed:\n{_failure_lines(lines)}",
                         "./thole doctor lists missing programs")
    return done.stdout
