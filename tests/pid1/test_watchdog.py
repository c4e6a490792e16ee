"""The hardware watchdog: fed while PID 1's loop turns, and the end of a machine whose PID 1 does not."""

from __future__ import annotations

import re
import signal

import pytest
from pid1.cases import case, unit
from pid1.machine import Boot, Machine
from pid1.vm_machine import VmMachine

SECONDS = 4  # several times what a busy machine is late with a meal; the device takes one second and more
FED = 5 * SECONDS
LONGEST_FOR_DEVICE = 2046
CARD = ("-device", "i6300esb", "-action", "watchdog=reset")
SET = f"thole.node.watchdog={SECONDS}s"
WITH_CARD = Boot(devices=CARD, command_line=SET)
RESET = 60


def value(machine: Machine, name: str, number: int = 0) -> str:
    """What the kernel says of a watchdog."""
    return machine.read(f"/sys/class/watchdog/watchdog{number}/{name}").strip()


def check_reset(machine: Machine, bitten: bool) -> None:
    """The machine was reset, by the watchdog's card where it has one."""
    assert isinstance(machine, VmMachine)
    if bitten:
        assert machine.hardware_event("WATCHDOG", timeout=RESET)["data"]["action"] == "reset"
    assert machine.hardware_event("SHUTDOWN", timeout=RESET)["data"]["reason"] == "guest-reset"
    assert machine.wait_end(RESET) == 0


@case(
    0,
    "watchdog-is-fed-and-does-not-bite-at-power-off",
    only="vm",
    own=True,
    boot=WITH_CARD,
    units={"slow": unit("slow-term 6000")},
)
def test_fed(machine: Machine) -> None:
    """An idle PID 1 feeds it for much longer than its time; so does one that waits for services at power-off."""
    assert isinstance(machine, VmMachine)
    machine.wait_console(rf"watchdog /dev/watchdog: resets this node when PID 1 hangs for {SECONDS}\.0 s")
    assert (value(machine, "identity"), value(machine, "state")) == ("i6300ESB timer", "active")
    assert value(machine, "timeout") == str(SECONDS)
    machine.wait("slow", "ready")
    begun, before = uptime(machine), switches(machine)
    while uptime(machine) < begun + FED:
        machine.agent.wait_change(SECONDS / 4)  # the guest's clock has no event
    woken = switches(machine) - before
    print(f"in {FED} s PID 1 slept {woken} times")
    assert FED / SECONDS <= woken < 4 * FED / SECONDS, "PID 1 wakes for its meals and for nothing else"
    machine.signal_pid1(signal.SIGTERM)
    # The first of the two is what the machine ended by.
    ended = machine.hardware_event("WATCHDOG", "SHUTDOWN", timeout=RESET)
    assert ended["data"].get("reason") == "guest-shutdown", ended
    assert machine.wait_end(RESET) == 0


def uptime(machine: Machine) -> float:
    """The machine's own seconds, which go on while nothing happens in it."""
    return float(machine.read("/proc/uptime").split()[0])


def switches(machine: Machine) -> int:
    """How often PID 1 has gone to sleep."""
    found = re.search(r"^voluntary_ctxt_switches:\s*(\d+)$", machine.read("/proc/1/status"), re.MULTILINE)
    assert found
    return int(found[1])


@pytest.mark.parametrize("way", ["stands-still", "breaks"])
@case(0, "watchdog-resets-a-machine-whose-pid-1-does-not-turn", only="vm", own=True, boot=WITH_CARD)
def test_hangs(machine: Machine, way: str) -> None:
    """PID 1 that is frozen where it is, and one that has broken, though it still reaps and answers."""
    machine.wait_console(r"watchdog /dev/watchdog: resets")
    stop(machine, way)
    check_reset(machine, bitten=True)


def stop(machine: Machine, way: str) -> None:
    """PID 1 of a machine takes no SIGSTOP; its cgroup can be frozen."""
    if way == "breaks":
        machine.signal_pid1(signal.SIGSEGV)
        machine.wait_console(r"PID 1 .*SIGSEGV")
    else:
        machine.write("/sys/fs/cgroup/init.scope/cgroup.freeze", "1")


@case(0, "watchdog-of-the-chipset", only="vm", own=True, boot=Boot(command_line=SET))
def test_chipset(machine: Machine) -> None:
    """Without a card /dev/watchdog is the one that most boards have."""
    machine.wait_console(r"watchdog /dev/watchdog: resets")
    assert value(machine, "identity") == "iTCO_wdt"
    stop(machine, "stands-still")
    check_reset(machine, bitten=True)


@case(
    0,
    "watchdog-in-software",
    only="vm",
    own=True,
    boot=Boot(command_line=f"{SET} thole.node.watchdog-device=/dev/watchdog1"),
)
def test_software(machine: Machine) -> None:
    """The kernel's own, for a machine that has none; the chipset's, which nobody opened, stays off."""
    machine.wait_console(r"watchdog /dev/watchdog1: resets")
    assert value(machine, "identity", 1) == "Software Watchdog"
    stop(machine, "stands-still")
    check_reset(machine, bitten=False)


@case(
    0,
    "watchdog-that-is-not-there",
    only="vm",
    own=True,
    boot=Boot(command_line=f"{SET} thole.node.watchdog-device=/dev/no-such-watchdog"),
    units={"plain": unit("sleep-forever")},
)
def test_absent(machine: Machine) -> None:
    """Said on the console, and the node goes on."""
    machine.wait("plain", "ready")
    machine.wait_console(
        r"watchdog cannot open /dev/no-such-watchdog: No such file or directory; "
        r"this node runs without a hardware watchdog"
    )
    assert machine.power_off() == 0


@case(
    0,
    "watchdog-that-does-not-take-the-time",
    only="vm",
    own=True,
    boot=Boot(devices=CARD, command_line=f"thole.node.watchdog={LONGEST_FOR_DEVICE + 1}s"),
)
def test_too_long(machine: Machine) -> None:
    """The device's own time holds, and is what the console says."""
    own = int(value(machine, "timeout"))
    assert own < LONGEST_FOR_DEVICE
    machine.wait_console(rf"watchdog /dev/watchdog: resets this node when PID 1 hangs for {own}\.0 s")
    assert machine.power_off() == 0
