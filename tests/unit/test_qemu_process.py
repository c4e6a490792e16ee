"""A VM's process never outlives what started it, nor its deadline."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from qemu.artifacts import CHECKOUT
from qemu.process import Process

SLEEP = ["sleep", "1000"]


def test_its_end_and_its_words_are_known(tmp_path: Path) -> None:
    process = Process(["sh", "-c", "echo oops; exit 3"], tmp_path / "log", deadline=60)
    assert process.wait(10) == 3
    assert not process.alive()
    assert process.complaint() == "oops"


def test_it_is_killed_by_its_pid(tmp_path: Path) -> None:
    process = Process(SLEEP, tmp_path / "log", deadline=None)
    assert process.wait(0.05) is None
    process.kill()
    process.kill()
    assert not Path(f"/proc/{process.pid}").exists()
    assert not process.overdue


def test_it_is_killed_at_its_deadline(tmp_path: Path) -> None:
    process = Process(SLEEP, tmp_path / "log", deadline=0.2)
    assert process.wait(10) == -signal.SIGKILL
    assert process.overdue


def test_ctrl_c_on_the_terminal_is_not_its_concern(tmp_path: Path) -> None:
    process = Process(SLEEP, tmp_path / "log", deadline=60)
    assert os.getsid(process.pid) == process.pid
    process.kill()


def test_it_dies_with_the_program_that_started_it(tmp_path: Path) -> None:
    script = (
        "import pathlib, signal, os, sys; from qemu.process import Process;"
        "print(Process(['sleep', '1000'], pathlib.Path(sys.argv[1]), None).pid, flush=True);"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "log"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    child = Path(f"/proc/{done.stdout.strip()}/stat")
    limit = time.monotonic() + 10
    while child.exists() and child.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < limit, "the VM outlived its parent"
        time.sleep(0.02)
