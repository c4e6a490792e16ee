"""The command line, asked on a machine that runs: words, exit statuses, and JSON as docs/json.md has it."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as xml

from pid1.agent import Command
from pid1.cases import case, unit
from pid1.machine import Machine

from driver.paths import CHECKOUT

DONE, FAILED, WRONG, NOT_RUNNING, UNKNOWN = range(5)


def documented(heading: str) -> set[str]:
    """The members that a table of docs/json.md names in its first column."""
    text = (CHECKOUT / "docs" / "json.md").read_text()
    section = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    columns = re.findall(r"^\| (`[^|]*) \|", section, re.MULTILINE)
    return {name for column in columns for name in re.findall(r"`([a-z_]+)`", column)}


def value_of(machine: Machine, *words: str) -> object:
    """What a command prints with --json."""
    done = machine.thole(*words, "--json")
    assert done.code == DONE, f"{words}: {done}"
    return json.loads(done.stdout)


def status(machine: Machine, *words: str) -> int:
    """The exit status of a command; where it is not 0 or a status it must have said why."""
    done = machine.thole(*words)
    assert done.code in (DONE, NOT_RUNNING) or done.stderr.strip(), f"{words} ended with {done.code} and said nothing"
    return done.code


@case(
    0,
    "commands-end-with-the-documented-status",
    units={
        "fine": unit("sleep-forever"),
        "short": unit("exit 3", "restart = never\nreadiness = fd", unit="enabled = no"),
    },
)
def test_exit_statuses(machine: Machine) -> None:
    """0 done, 1 failed, 2 called wrongly, 3 does not run, 4 no such unit; and start waits and says why it failed."""
    machine.wait("fine", "ready")
    assert status(machine, "status", "fine") == DONE
    assert status(machine, "stop", "fine") == DONE
    assert status(machine, "status", "fine") == NOT_RUNNING
    assert status(machine, "start", "fine") == DONE
    assert machine.unit("fine").state == "ready"
    assert status(machine, "restart", "fine") == DONE
    assert status(machine, "status", "nobody") == UNKNOWN
    assert status(machine, "start", "nobody") == UNKNOWN
    assert status(machine, "start") == WRONG
    assert status(machine, "status", "--no-such-option") == WRONG
    assert status(machine, "no-such-command") == WRONG
    failed = machine.thole("start", "short")
    assert failed.code == FAILED
    assert "exit status 3" in failed.stderr + failed.stdout


@case(
    0,
    "commands-speak-json-as-documented",
    units={"base": unit("sleep-forever"), "above": unit("sleep-forever", unit="requires = base\ndescription = On top")},
)
def test_json(machine: Machine) -> None:
    """Each command with --json prints one value with the members that the document names."""
    machine.wait("above", "ready")
    of_unit = documented("A unit")
    assert len(of_unit) > 10
    listed = {one["name"]: one for one in value_of(machine, "status")}
    assert of_unit | {"memory_bytes", "below", "log"} == set(listed["above"])
    assert listed["above"]["state"] == "ready"
    assert listed["above"]["pid"] == machine.unit("above").pid
    assert "above" in (listed["above"]["below"], listed["base"]["below"]) or "base" == listed["above"]["below"]
    shown = value_of(machine, "show", "above")
    assert shown["cgroup"]["processes"] == (1 if machine.kind == "vm" else None), "a host need not hand `pids` down"
    assert {"section": "unit", "key": "requires", "value": "base"}.items() <= [
        one for one in shown["definition"] if one["key"] == "requires"
    ][0].items()
    assert re.fullmatch(r".*/above\.unit:\d+", shown["definition"][0]["origin"])
    assert value_of(machine, "restart", "above")[0]["ok"] is True
    assert value_of(machine, "reload") == []
    blame = value_of(machine, "blame")
    assert {"base", "above"} <= {one["name"] for one in blame["units"]}
    assert value_of(machine, "version")["version"] == value_of(machine, "version")["pid1_version"] != ""
    rows = {one["name"]: one for one in value_of(machine, "top", "-n", "1")}
    assert set(rows["base"]) == {
        "name", "cpu_permille", "memory_bytes", "read_bytes_per_s", "written_bytes_per_s", "processes",
    }  # fmt: skip
    assert {"key", "value", "origin"} == set(value_of(machine, "config", "show")[0])
    assert value_of(machine, "lint", "/run/thole/units")["errors"] == []
    checks = json.loads(machine.thole("doctor", "--json").stdout)
    assert {"check", "ok", "detail", "remedy"} == set(checks[0])
    assert all(one["remedy"] for one in checks if not one["ok"])


@case(0, "events-are-followed", units={"moved": unit("sleep-forever")})
def test_events(machine: Machine) -> None:
    """`thole events -f` shows changes as they happen, as lines and as JSON; -n ends it."""
    machine.wait("moved", "ready")
    lines = machine.agent.begin("/usr/bin/thole", "events", "-f")
    objects = machine.agent.begin("/usr/bin/thole", "events", "--json", "-n", "2")
    until_listening(machine, "moved", lines)
    lines.wait_output("ready")
    told = [json.loads(line) for line in objects.wait(30).stdout.splitlines()]
    assert len(told) == 2
    assert all(set(one) == {"at_ms", "name", "state", "reason"} for one in told)
    lines.kill()


def until_listening(machine: Machine, name: str, follower: Command) -> None:
    """Restarts a unit until a follower has heard of it: when it began to listen cannot be seen from here."""
    for _ in range(50):
        machine.thole("restart", name)
        if name in follower.stdout:
            return
    raise AssertionError(f"no event of {name} in 50 restarts: {follower.stdout}")


@case(
    0,
    "logs-are-read-and-followed",
    units={
        "first": unit("exit 0 said-by-first", "type = oneshot\nremain = no"),
        "second": unit("exit 0 said-by-second", "type = oneshot\nremain = no"),
    },
)
def test_logs(machine: Machine) -> None:
    """The last lines, those since a time, this boot's, and several services followed at once."""
    for name in ("first", "second"):
        machine.wait(name, "done")
        machine.wait_log(name, f"said-by-{name}")
    assert machine.thole("logs", "-n", "1", "first").stdout.count("\n") == 1
    assert "said-by-first" in machine.thole("logs", "--boot", "first").stdout
    assert "said-by-first" in machine.thole("logs", "--since", "1h", "first").stdout
    assert machine.thole("logs", "--since", "2099-01-01", "first").stdout == ""
    objects = [json.loads(line) for line in machine.thole("logs", "--json", "first").stdout.splitlines()]
    assert {"log", "time", "boot_ms", "text"} == set(objects[0])
    assert objects[0]["text"] == "said-by-first"
    both = machine.thole("logs", "first", "second").stdout
    assert "said-by-first" in both
    assert "said-by-second" in both
    assert machine.thole("logs", "nobody").code == UNKNOWN
    assert machine.thole("logs", "--since", "some-time", "first").code == WRONG
    assert "ready" in machine.thole("logs", "thole").stdout
    follower = machine.agent.begin("/usr/bin/thole", "logs", "-f", "-n", "0", "first", "second")
    for name in ("first", "second"):
        machine.until(f"{name} is heard", lambda name=name: runs_again(machine, name, follower))
    follower.kill()


def runs_again(machine: Machine, name: str, follower: Command) -> bool:
    """Starts a oneshot again and looks whether the follower has its line."""
    machine.start(name)
    machine.wait(name, "done")
    return f"said-by-{name}" in follower.stdout


@case(0, "enable-and-disable-last", units={"choice": unit("sleep-forever")})
def test_enable(machine: Machine) -> None:
    """Disable keeps a unit from the next boot and with --now stops it; enable is the way back."""
    machine.wait("choice", "ready")
    assert machine.thole("disable", "--now", "choice").code == DONE
    assert machine.wait("choice", "stopped")
    assert value_of(machine, "show", "choice")["enabled"] is False
    override = "/var/lib/thole/units/choice.unit.d/enabled.conf"
    assert "enabled = no" in machine.read(override)
    assert machine.thole("enable", "--now", "choice").code == DONE
    machine.wait("choice", "ready")
    assert value_of(machine, "show", "choice")["enabled"] is True
    assert machine.thole("enable", "nobody").code == UNKNOWN


@case(0, "boot-as-a-chart", units={"drawn": unit("sleep-forever")})
def test_plot(machine: Machine) -> None:
    """`thole plot` is well-formed SVG that names the units; `blame` and `top` print tables."""
    machine.wait("drawn", "ready")
    picture = xml.fromstring(machine.thole("plot").stdout)
    assert picture.tag.endswith("svg")
    assert any("drawn" in (text.text or "") for text in picture.iter() if text.tag.endswith("text"))
    assert "drawn" in machine.thole("blame").stdout
    assert "drawn" in machine.thole("top", "-n", "1").stdout


@case(0, "reload-takes-all-or-nothing", units={"kept": unit("sleep-forever")})
def test_reload(machine: Machine) -> None:
    """A unit file with a mistake: `thole reload` names file, line and key, and nothing has changed."""
    pid = machine.wait("kept", "ready").pid
    refused = machine.load({"wrong": "[service]\ncommandd = /usr/bin/actor sleep-forever\n"})
    assert refused.code == FAILED
    said = machine.thole("reload")
    assert said.code == FAILED
    assert re.search(r"wrong\.unit:2: .*commandd.*'command'", said.stderr), said.stderr
    assert "wrong" not in machine.units()
    assert machine.unit("kept").pid == pid
    assert machine.unload("wrong").code == 0


@case(0, "reboot-without-pid-1", own=True, needs=("hardware",), units={"stuck": unit("ignore-term", "stop-timeout = 1h")})
def test_forced_reboot(machine: Machine) -> None:
    """`thole reboot --force` asks the kernel: no service holds it up."""
    machine.wait("stuck", "ready")
    machine.agent.begin("/usr/bin/thole", "reboot", "--force")
    assert machine.wait_end(60) == 0
    assert "asked for" not in machine.console()
