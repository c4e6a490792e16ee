"""Cases 15 to 17: restarts, the graph of units, and reloads."""

from __future__ import annotations

import itertools

from pid1.cases import case, unit
from pid1.machine import Machine, unit_path

UNITS = "/run/thole/units"
MANY = 1000


@case(
    15,
    "crash-loop-backs-off-to-its-cap",
    units={
        "crasher": unit(
            "exit 1", "restart = always", "restart-delay = 50ms", "restart-delay-max = 400ms", "start-limit-count = 0"
        )
    },
)
def test_crash_loop(machine: Machine) -> None:
    """Delays double up to the cap and stay there; without a start limit it goes on for ever, as k3s wants it."""
    machine.follow()
    machine.start("crasher")
    machine.wait_unit("crasher", "restarted nine times", lambda unit: unit.restarts >= 9, 30)
    times = [at for at, name, state, _ in machine.events() if name == "crasher" and state == "delayed"]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert len(gaps) >= 6, f"too few events: {machine.events()}"
    assert all(gap >= 380 for gap in gaps[-2:]), f"the cap of 400 ms is not reached: {gaps}"
    assert gaps[0] < gaps[-1], f"the delay does not grow: {gaps}"
    assert machine.unit("crasher").state != "failed"


@case(
    15,
    "health-resets-the-back-off",
    units={
        "moody": unit(
            "exit-when-there /run/moody-ends 1",
            "restart = always", "restart-delay = 100ms", "restart-delay-max = 60s", "restart-reset = 1s",
            "start-limit-count = 0",
        )
    },
)  # fmt: skip
def test_health_resets(machine: Machine) -> None:
    """After a while of health the next delay is the first one again."""
    machine.follow()
    machine.write("/run/moody-ends", "")
    machine.start("moody")
    machine.wait_unit("moody", "restarted four times", lambda unit: unit.restarts >= 4, 30)
    machine.act("remove", "/run/moody-ends")
    unit = machine.wait("moody", "ready")
    ready = unit.since
    machine.until("healthy for long enough", lambda: uptime(machine) > ready + 1200, 20)
    machine.write("/run/moody-ends", "")
    machine.wait("moody", "delayed")
    machine.act("remove", "/run/moody-ends")
    delayed = [at for at, name, state, _ in machine.events() if name == "moody" and state == "delayed"][-1]
    unit = machine.wait_unit("moody", "started again", lambda unit: unit.state == "ready" and unit.since > delayed, 20)
    # Doubled four times it would have been 1.6 s.
    assert unit.since - delayed < 1000, f"the delay was {unit.since - delayed} ms"


@case(
    15,
    "start-limit-ends-a-crash-loop",
    units={
        "limited": unit(
            "exit 1", "restart = always", "restart-delay = 10ms", "start-limit-count = 3", "start-limit-interval = 60s"
        )
    },
)
def test_start_limit(machine: Machine) -> None:
    """Where a limit is set it holds, says so, and a person can start the service again."""
    machine.start("limited")
    unit = machine.wait("limited", "failed")
    assert unit.restarts <= 3
    assert "not started again" in unit.reason, unit
    machine.start("limited")
    machine.wait("limited", "failed")


@case(16, "wrong-graphs-are-rejected-whole", units={"steady": unit("sleep-forever")})
def test_rejected_reload(machine: Machine) -> None:
    """A cycle, a missing and a self-dependency: the reload says which, and nothing changes."""
    machine.start("steady")
    before = machine.wait("steady", "ready")
    units = set(machine.units())
    wrong = {
        "cycle": {
            "ring-a": unit("sleep-forever", unit="requires = ring-b"),
            "ring-b": unit("sleep-forever", unit="after = ring-c"),
            "ring-c": unit("sleep-forever", unit="after = ring-a"),
        },
        "missing": {"lonely": unit("sleep-forever", unit="requires = nobody-there")},
        "itself": {"narcissus": unit("sleep-forever", unit="requires = narcissus")},
        "key": {"typo": unit("sleep-forever", "comand = x"), "harmless": unit("sleep-forever")},
    }
    words = {"cycle": "ring-a", "missing": "nobody-there", "itself": "narcissus", "key": "comand"}
    for kind, texts in wrong.items():
        done = machine.load(texts)
        assert done.code == 1, f"{kind}: accepted: {done.stdout}"
        assert words[kind] in done.stdout, f"{kind}: {done.stdout}"
        assert set(machine.units()) == units, f"{kind}: the rejected reload changed the units"
        lint = machine.thole("lint", UNITS)
        assert lint.code != 0 and words[kind] in lint.stdout + lint.stderr, f"{kind}: {lint}"
        machine.act("remove", *map(unit_path, texts))
    now = machine.unit("steady")
    assert (now.pid, now.state, now.since) == (before.pid, before.state, before.since)
    assert machine.ask("reload").code == 0


@case(16, "1000-units-in-a-reload")
def test_many_units(machine: Machine) -> None:
    """A thousand units in a chain are loaded, started in order, and taken away again."""
    texts = {
        f"link{at:04d}": unit(
            "exit 0",
            "type = oneshot",
            unit=f"after = link{at - 1:04d}\nrequires = link{at - 1:04d}\nenabled = no"
            if at
            else "enabled = no",
        )
        for at in range(MANY)
    }
    try:
        done = machine.load(texts)
        assert done.code == 0, done.stdout
        assert done.stdout.count("added") == MANY
        last = f"link{MANY - 1:04d}"
        machine.start(last)
        machine.wait(last, "done", timeout=600)
        assert all(unit.state == "done" for name, unit in machine.units().items() if name.startswith("link"))
    finally:
        done = machine.unload(*texts)
    assert done.code == 0, done.stdout
    assert not [name for name in machine.units() if name.startswith("link")]


@case(
    17,
    "reload-restarts-only-what-changed",
    units={
        "same": unit("sleep-forever"),
        "changing": unit("sleep-forever", "environment = WHICH=first"),
        "leaving": unit("sleep-forever"),
    },
)
def test_reload_changed(machine: Machine) -> None:
    """Of four units one stays, one changes, one goes and one comes: only those three are touched."""
    machine.start("same", "changing", "leaving")
    before = {name: machine.wait(name, "ready") for name in ("same", "changing", "leaving")}
    # Where the machine is this case's own, its units are those of the image.
    shared = machine.exists(unit_path("leaving"))
    machine.act("remove", unit_path("leaving") if shared else "/usr/lib/thole/units/leaving.unit")
    done = machine.load({"changing": unit("sleep-forever", "environment = WHICH=second"), "coming": unit("sleep-forever")})
    try:
        assert done.code == 0, done.stdout
        lines = done.stdout.splitlines()[1:]
        assert sorted(lines) == ["added coming", "changed changing", "removed leaving"], lines
        machine.wait_unit(
            "changing", "restarted", lambda unit: unit.state == "ready" and unit.pid != before["changing"].pid
        )
        environment = machine.read(f"/proc/{machine.unit('changing').pid}/environ").split("\0")
        assert "WHICH=second" in environment
        same = machine.unit("same")
        assert (same.pid, same.since, same.restarts) == (before["same"].pid, before["same"].since, 0)
        machine.until("the removed service has ended", lambda: before["leaving"].pid not in machine.processes())
        assert machine.ask("reload").stdout.strip() == "ok", "a reload without changes says that something changed"
    finally:
        machine.write(unit_path("leaving"), unit("sleep-forever"))
        machine.unload("coming")


def uptime(machine: Machine) -> int:
    """Milliseconds of the boot clock, as PID 1 counts them."""
    return int(float(machine.read("/proc/uptime").split()[0]) * 1000)
