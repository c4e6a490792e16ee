"""Cases 10 to 14: stopping one service, and the whole machine."""

from __future__ import annotations

import time

from pid1.agent import AgentGone
from pid1.cases import case, unit
from pid1.machine import Machine

# The whole-shutdown deadline for services, then the grace for what is left; a busy machine needs more than an idle one.
SERVICES_TIME = 10
ALL_TIME = 35


@case(10, "stopped-service-is-continued", units={"frozen": unit("stop-self", "stop-timeout = 20s", "restart = never")})
def test_sigstopped(machine: Machine) -> None:
    """A service that sits in SIGSTOP gets SIGCONT behind the stop signal, and so ends by that one."""
    machine.start("frozen")
    pid = machine.wait("frozen", "ready").pid
    machine.until("it has stopped itself", lambda: state_of(machine, pid) == "T")
    begun = time.monotonic()
    machine.stop("frozen", timeout=15)
    assert time.monotonic() - begun < 15, "it was ended by SIGKILL after its time"
    assert "SIGKILL" not in machine.unit("frozen").reason


@case(11, "sigterm-ignored-is-killed", units={"deaf": unit("ignore-term", "stop-timeout = 500ms", "restart = never")})
def test_ignores_sigterm(machine: Machine) -> None:
    """SIGKILL comes after the service's own time, and ends the stop."""
    machine.start("deaf")
    machine.wait_log("deaf", "ignoring SIGTERM")
    pid = machine.unit("deaf").pid
    machine.stop("deaf", timeout=10)
    assert pid not in machine.processes()


@case(
    11,
    "state-d-does-not-hold-a-stop",
    units={"waiter": unit("vfork-wait", "stop-timeout = 500ms", "restart = never")},
)
def test_state_d(machine: Machine) -> None:
    """A process in state D hears no SIGTERM; its stop comes to an end all the same, and so do its children."""
    machine.start("waiter")
    machine.wait_log("waiter", "never goes on")
    pid = machine.unit("waiter").pid
    machine.until("it is in state D", lambda: state_of(machine, pid) == "D")
    machine.stop("waiter", timeout=15)
    assert not [words for words in machine.processes().values() if words[1:2] == ["vfork-wait"]]


@case(
    12,
    "reboot-while-services-start",
    own=True,
    units={
        "never-ready": unit("ignore-term", "readiness = notify", "readiness-timeout = 60s", "stop-timeout = 500ms"),
        "behind": unit("sleep-forever", unit="requires = never-ready"),
    },
)
def test_reboot_while_starting(machine: Machine) -> None:
    """A reboot that is asked for while a service is on its way up is done, without waiting for its readiness."""
    assert machine.wait("never-ready", "starting").state == "starting"
    assert machine.unit("behind").state == "waiting"
    begun = time.monotonic()
    machine.agent.begin("/usr/bin/thole", "reboot")  # the agent may go before it can tell how that ended
    assert machine.wait_end(ALL_TIME) == 0
    print(f"reboot: {time.monotonic() - begun:.1f} s")


@case(
    12,
    "stop-in-the-restart-delay",
    units={"delayed": unit("exit 1", "restart = always", "restart-delay = 60s")},
)
def test_stop_in_delay(machine: Machine) -> None:
    """A stop takes effect at once, and the delay that runs starts nothing afterwards."""
    machine.start("delayed")
    machine.wait("delayed", "delayed")
    machine.stop("delayed", timeout=10)
    assert machine.unit("delayed").more.get("next", "-1") == "-1"


@case(
    13,
    "one-deadline-for-the-shutdown",
    own=True,
    units={
        "stubborn": unit("ignore-term", "stop-timeout = 300s"),
        "patient": unit("ignore-term", "stop-timeout = 300s", unit="after = stubborn"),
    },
)
def test_shutdown_deadline(machine: Machine) -> None:
    """Services that would have five minutes each, one after the other, get the one deadline together."""
    machine.wait_log("stubborn", "ignoring")
    machine.wait_log("patient", "ignoring")
    begun = time.monotonic()
    assert machine.power_off(ALL_TIME) == 0
    took = time.monotonic() - begun
    print(f"power-off with stubborn services: {took:.1f} s")
    assert took < ALL_TIME
    assert "still stopping after" in machine.console()


@case(
    13,
    "shutdown-waits-for-nobody-who-has-ended",
    own=True,
    units={"quick": unit("sleep-forever", "stop-timeout = 300s"), "slower": unit("slow-term 300", "stop-timeout = 300s")},
)
def test_quick_shutdown(machine: Machine) -> None:
    """With services that end when told the machine is down long before the deadline."""
    machine.wait("quick", "ready")
    machine.wait("slower", "ready")
    begun = time.monotonic()
    assert machine.power_off(ALL_TIME) == 0
    took = time.monotonic() - begun
    print(f"power-off with obedient services: {took:.1f} s")
    assert took < SERVICES_TIME


@case(
    14,
    "control-clients-during-shutdown",
    own=True,
    units={"holder": unit("slow-term 3000", "stop-timeout = 20s", unit="after = agent")},
)
def test_clients_during_shutdown(machine: Machine) -> None:
    """While the machine goes down PID 1 answers: status works, starts are refused, and a second shutdown is no harm."""
    machine.wait("holder", "ready")
    assert machine.ask("shutdown", "poweroff").code == 0
    machine.wait("holder", "stopping", timeout=5)
    refused = machine.ask("start", "holder")
    assert refused.code == 1
    assert "shutting down" in refused.stdout
    assert machine.thole("status").code == 0
    assert machine.ask("shutdown", "reboot").code in (0, 1)
    idle = [machine.begin("clients", "half", "5"), machine.begin("clients", "deaf", "5")]
    try:
        for one in idle:
            one.wait_output("connected 5", 10)
    except AgentGone:
        raise AssertionError("the machine went down before the clients had connected") from None
    assert machine.wait_end(ALL_TIME) == 0


def state_of(machine: Machine, pid: int) -> str:
    """The letter of a process's state."""
    return machine.read(f"/proc/{pid}/stat").rpartition(")")[2].split()[0]
