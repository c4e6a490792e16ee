"""Children of the driver: their log, their failures, and their end when a person interrupts."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from driver.display import Display, TerminalDisplay, seconds
from driver.job import Job
from driver.progress import Progress, parse

CHECKOUT = Path(__file__).resolve().parents[2]


def run(script: str, tmp_path: Path) -> tuple[int, Job, str]:
    """Run a Python script as a job."""
    stream = io.StringIO()
    job = Job([sys.executable, "-c", script], Display(stream), tmp_path / "logs" / "job.log")
    return job.run(), job, stream.getvalue()


def test_progress_is_shown_and_the_rest_logged(tmp_path: Path) -> None:
    """`::progress` lines go to the person, all else to the log."""
    status, job, shown = run(
        "from driver.progress import report\n"
        "print('compiling'); report('kernel', 1, 2, 'half'); report('kernel', 2, 2, 'whole')\n"
        "report('root', 0, 0, 'x')",
        tmp_path,
    )
    assert status == 0
    assert "compiling" in job.log.read_text() and "::progress" not in job.log.read_text()
    assert "kernel ..." in shown and "whole" in shown and "root ..." in shown


def test_failure_names_the_log_and_shows_the_error(tmp_path: Path) -> None:
    """The message begins where the trouble began."""
    status, job, _ = run(
        "for n in range(100): print('line', n)\n"
        "print('error: it broke')\nprint('  remedy: mend it')\nexit(3)",
        tmp_path,
    )
    error = job.failure("the step 'x'")
    assert status == 3
    assert "error: it broke" in error.what and "mend it" in error.what and "line 50" not in error.what
    assert str(job.log) in error.remedy


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    """A compiler may print anything, and its last line may lack the newline."""
    status, job, _ = run("import sys; sys.stdout.buffer.write(b'\\xff\\xfe\\nend')", tmp_path)
    assert status == 0 and job.log.read_text().splitlines()[-1] == "end"


def test_interrupt_ends_all_children(tmp_path: Path) -> None:
    """Ctrl-C: the child and what it started are gone, and the driver says so with its status."""
    script = tmp_path / "interrupted.py"
    script.write_text(
        "import io, sys\n"
        "from pathlib import Path\n"
        "from driver.display import Display\n"
        "from driver.errors import guard\n"
        "from driver.job import Job\n"
        f"command = ['sh', '-c', 'sleep 300 & echo $! > {tmp_path}/pid; wait']\n"
        f"sys.exit(guard(lambda: Job(command, Display(io.StringIO()), Path('{tmp_path}/log')).run()))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    driver = subprocess.Popen(
        [sys.executable, script], env=environment, stderr=subprocess.PIPE, text=True,
        # Where the tests run in the background, a shell has had them ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    pid = tmp_path / "pid"
    while not (pid.exists() and pid.read_text().strip()):
        assert driver.poll() is None
        time.sleep(0.02)
    driver.send_signal(signal.SIGINT)
    assert driver.stderr and "interrupted" in driver.stderr.read()
    assert driver.wait(30) == 130
    assert gone(int(pid.read_text()))


def gone(pid: int) -> bool:
    """Whether a process ends within a second; one that nobody has waited for yet counts as ended."""
    for _ in range(50):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False


def test_parse() -> None:
    """What is progress and what is not."""
    assert parse("::progress kernel 3 10 CC x.o") == Progress("kernel", 3, 10, "CC x.o")
    assert parse("::progress kernel 3 10") == Progress("kernel", 3, 10, "")
    for line in ("::progress kernel", "::progress kernel a b", "progress kernel 1 2", ""):
        assert parse(line) is None


def test_terminal_draws_a_bar() -> None:
    """The moving line has a bar where the length is known, and a line stays when a step ends."""
    stream = io.StringIO()
    display = TerminalDisplay(stream)
    display.update(Progress("kernel", 1, 2, "CC x.o"))
    assert "[##########..........]  50 %  CC x.o" in stream.getvalue()
    display.end()
    assert stream.getvalue().endswith("\n") and "\n" not in stream.getvalue()[:-1]


def test_seconds() -> None:
    """Time spans."""
    assert seconds(0.04) == "0.0 s" and seconds(61) == "1 min 01 s"
