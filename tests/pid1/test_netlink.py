"""Our netlink against the node's own kernel: links, routes, and a thousand WireGuard peers."""

from __future__ import annotations

import shutil
from pathlib import Path

from pid1.vm_machine import VmMachine

from qemu.artifacts import one

PROGRAM = "usr/bin/netlink-check"


def test_kernel(request, tmp_path: Path) -> None:
    """The program makes a network namespace of its own, and ends with the first thing that is not as it must be."""
    build = request.config.getoption("--build")
    program = one(build, "netlink-check")
    machine = VmMachine(build, tmp_path, {}, fill=lambda root: shutil.copy2(program, root / PROGRAM))
    try:
        done = machine.run(f"/{PROGRAM}", timeout=300)
        print(done.stdout)
        assert done.code == 0, done.stdout + done.stderr
        assert done.stdout.endswith("passed\n"), done.stdout
    finally:
        machine.end()
