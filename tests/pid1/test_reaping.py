"""Cases 1 to 4: whatever ends is reaped, and each status reaches the service that it belongs to."""

from __future__ import annotations

import signal
import time

from pid1.cases import case, unit
from pid1.machine import Machine

LOSERS = 12
BURSTS = 100
ORPHANS = 10_000


@case(
    1,
    "main-process-among-200-orphans-in-one-sigchld",
    units={"crowd": unit("die-with-orphans 200", "restart = always", "restart-delay = 50ms", "restart-delay-max = 100ms")},
)
def test_main_process_among_orphans(machine: Machine) -> None:
    """The main process and 200 orphans die by one signal: the service is seen to end, and all are reaped."""
    machine.start("crowd")
    machine.wait_unit("crowd", "restarted four times", lambda unit: unit.restarts >= 4)
    assert "killed by signal 9" in machine.console()
    machine.stop("crowd")
    machine.until("every orphan reaped", lambda: not machine.zombies(), 20)


@case(
    2,
    "orphans-do-not-take-a-services-status",
    units={
        f"loser{number}": unit(f"exit-when-there /run/now {number}", "restart = never") for number in range(1, LOSERS + 1)
    },
)
def test_orphans_do_not_take_a_status(machine: Machine) -> None:
    """Services end with a status each in the middle of 2,000 orphans that end with others: none is mixed up."""
    for number in range(1, LOSERS + 1):
        machine.start(f"loser{number}")
        machine.wait(f"loser{number}", "ready")
    storm = machine.begin("orphans", "2000")
    machine.write("/run/now", "now\n")
    for number in range(1, LOSERS + 1):
        unit = machine.wait(f"loser{number}", "failed")
        assert f"exit status {number}" in (unit.exit or unit.reason), unit
    assert storm.wait(60).code == 0
    machine.act("remove", "/run/now")


@case(3, "child-that-ends-at-once", units={"brief": unit("exit 3", "restart = never")})
def test_child_that_ends_at_once(machine: Machine) -> None:
    """A child may end before its parent has noted the pid; its status still arrives, a hundred times."""
    for _ in range(BURSTS):
        machine.start("brief")
        machine.wait_unit("brief", "failed", lambda unit: unit.state == "failed")
    unit = machine.unit("brief")
    assert "exit status 3" in (unit.exit or unit.reason), unit


@case(4, "10000-orphans-at-once", units={"bystander": unit("sleep-forever")})
def test_ten_thousand_orphans(machine: Machine) -> None:
    """All are reaped, and PID 1 answers again. The time is printed, never asserted."""
    machine.start("bystander")
    begun = time.monotonic()
    storm = machine.begin("orphans", str(ORPHANS))
    storm.wait_output("orphans are there", 300)
    print(f"{ORPHANS} orphans made in {time.monotonic() - begun:.2f} s")
    begun = time.monotonic()
    assert storm.wait(60).code == 0
    machine.until("every orphan reaped", lambda: not machine.zombies(), 120)
    print(f"{ORPHANS} orphans reaped in {time.monotonic() - begun:.2f} s at most")
    assert machine.wait("bystander", "ready").pid > 0
    machine.signal(machine.unit("bystander").pid, signal.SIGTERM)
    machine.wait_unit("bystander", "seen to end", lambda unit: unit.state != "ready" or unit.restarts > 0)
