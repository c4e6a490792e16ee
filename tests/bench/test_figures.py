"""The pure parts of the figures: what is read from /proc, percentiles, the table."""

from __future__ import annotations

import pytest

from bench import linux, measures, table
from bench.mesh import binary, records, simulation
from bench.slurm import jobs
from bench.slurm import run as slurm
from bench.table import Line, Notes
from bench.vm import boots
from driver.errors import TholeError

_ROLLUP = """\
00400000-7ffe0bbb2000 ---p 00000000 00:00 0                              [rollup]
Rss:                 376 kB
Pss:                 364 kB
Pss_Dirty:           104 kB
Private_Dirty:       100 kB
"""
_STATUS = "Name:\tinit\nState:\tS (sleeping)\nVmRSS:\t     376 kB\nRssAnon:\t     100 kB\nThreads:\t1\n"
_LINES = (Line("a", "first, ms", 1), Line("b", "second, a second", high=True))


def test_kilobytes() -> None:
    """Sizes are found by name, lines without kB are no sizes."""
    assert linux.kilobytes(_ROLLUP)["Pss"] == 364
    assert linux.kilobytes(_STATUS) == {"VmRSS": 376, "RssAnon": 100}


@pytest.mark.parametrize(
    ("values", "median", "p95"),
    [([5.0], 5.0, 5.0), ([float(n) for n in range(1, 101)], 50.5, 95.0), ([3.0, 1.0, 2.0], 2.0, 3.0)],
)
def test_latency(values: list[float], median: float, p95: float) -> None:
    """The nearest-rank percentile, whatever the order."""
    assert measures.latency(values) == (median, p95)


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(1234567.0, 0, "1,234,567"), (0.456, 2, "0.46"), (278.6, 1, "279"), (1000.5, 2, "1,000")],
)
def test_number(value: float, digits: int, text: str) -> None:
    """Large figures have no digits after the point."""
    assert table.number(value, digits) == text


def test_best_is_bold_and_missing_has_a_note() -> None:
    """The lowest is best, or the highest where the line says so; equal as shown is equal."""
    results = {"x": {"a": 1.04, "b": 10.0}, "y": {"a": 1.01, "b": 20.0}, "z": {"a": "z: did not start"}}
    notes = Notes()
    rows = table.render(["x", "y", "z"], _LINES, results, notes)
    assert rows[2].replace(" ", "") == "|first,ms|**1.0**|**1.0**|-[1]|"
    assert rows[3].replace(" ", "") == "|second,asecond|10|**20**||"
    assert notes.lines() == ["- [1] z: did not start"]


def test_alone_nothing_is_best() -> None:
    """One figure in a line is not compared with anything."""
    assert "**" not in "".join(table.render(["x"], _LINES, {"x": {"a": 1.0, "b": 2.0}}, Notes()))


def test_behind_names_who_is_first() -> None:
    """Only lines in which another is better count, as shown."""
    results = {"x": {"a": 2.0, "b": 30.0}, "y": {"a": 1.0, "b": 20.0}}
    assert table.behind("x", ["x", "y"], _LINES, results) == ["first, ms: y 1.0, x 2.0"]
    assert table.behind("y", ["x", "y"], _LINES, results) == ["second, a second: x 30, y 20"]


def test_replace_block() -> None:
    """Only what is between the markers of that name."""
    one, other = (f"{table.BEGIN.format(name)}\nold\n{table.END.format(name)}\n" for name in ("init", "mesh"))
    new = one.replace("old", "new")
    assert table.replace_block(f"# Title\n{one}rest\n{other}", "new\n") == f"# Title\n{new}rest\n{other}"
    assert table.replace_block(f"{other}{one}", "new\n", "init") == f"{other}{new}"
    with pytest.raises(ValueError, match="has no"):
        table.replace_block("nothing", "new")


def test_console_of_the_other() -> None:
    """Minutes, seconds and milliseconds of userspace; every process counts."""
    text = (
        "Debian GNU/Linux 13 debian ttyS0\n"
        "Startup finished in 1.612s (kernel) + 1min 9.400s (userspace) = 1min 11.012s\n"
        "multi-user.target reached after 69.100s in userspace.\n"
        "bench: systemd 8100\nbench: (sd-pam) 900\nbench: end\n"
    )
    assert boots.read_console(text) == {"ready": pytest.approx(69.4), "pss": 9.0, "processes": 2}
    with pytest.raises(TholeError):
        boots.read_console("Kernel panic")


def test_simulation_figures() -> None:
    """As the unit tests print them."""
    text = (
        "10 nodes at once: same knowledge after 1.2 s, by 12.5 messages, 3.25 KiB and 2 hellos a node; in a quiet"
        " minute 18 messages, 1.5 KiB; a change is everywhere after 0.3 s, by 4.2 messages\n"
        "5000 nodes at once: same knowledge after 2 m 5 s, by 1.2e+03 messages, 3 KiB and 2 hellos a node; in a quiet"
        " minute 18 messages, 1.5 KiB; a change is everywhere after 1.5 s, by 4.2 messages\n"
    )
    found = simulation.parse(text)
    assert list(found) == ["10 nodes", "5,000 nodes"]
    assert found["10 nodes"]["change"] == 0.3 and found["10 nodes"]["quiet-messages"] == 18
    assert found["5,000 nodes"]["up"] == 125 and found["5,000 nodes"]["up-messages"] == 1200


def test_records_of_absent_members() -> None:
    """As long as the node takes them, and all of them different."""
    written = records.members(500, 1_800_000_000)
    assert written.startswith(records.HEAD) and written.count(b"absent-") == 500
    one = records.record(3, bytes(32), 7)
    assert len(one) < 400 and bytes([10, 41, 1, 3]) in one


_IDLE = """\
/proc/1/smaps_rollup:Pss:                 600 kB
/proc/40/smaps_rollup:Pss:               9000 kB
/proc/41/smaps_rollup:Pss:               5000 kB
/proc/50/smaps_rollup:Pss:               1500 kB
/proc/2/smaps_rollup:Pss:                   0 kB
/proc/1/comm:init
/proc/2/comm:kthreadd
/proc/40/comm:slurmctld
/proc/41/comm:slurmd
/proc/50/comm:bash
MemTotal:        2014396 kB
MemAvailable:    1914396 kB
"""


def test_memory_of_a_slurm_node() -> None:
    """Kernel threads and the shell that asks are left out; the controller is not of the compute role."""
    found = jobs.read_memory(_IDLE)
    assert found == {"slurmctld": 9.0, "slurmd": 5.0, "munged": 0, "compute": 5.6, "processes": 2, "used": 100.0}
    with pytest.raises(TholeError, match="nothing of its memory"):
        jobs.read_memory("bash: grep: command not found")


def test_times_of_jobs() -> None:
    """Three times a line, or an error that shows what there was."""
    assert jobs.read_times("1.5 2.25 3\n4 5 6\n") == [(1.5, 2.25, 3.0), (4.0, 5.0, 6.0)]
    for wrong in ("", "1 2", "srun: error: no node"):
        with pytest.raises(TholeError, match="no times"):
            jobs.read_times(wrong)


def test_settings_that_differ() -> None:
    """Places may differ, settings are shown."""
    one = {"SlurmdSpoolDir": "/a", "SelectType": "select/cons_tres", "KillWait": "30 sec"}
    other = {"SlurmdSpoolDir": "/b", "SelectType": "select/linear", "KillWait": "30 sec"}
    assert slurm.different({"x": one, "y": other})[2:] == ["- SelectType: select/cons_tres / select/linear"]
    assert slurm.different({"x": one, "y": one}) == []
    assert slurm.different({"x": one}) == []


_MAP = """\
Discarded input sections

 .text.unused   0x0000000000000000      0x111 init/a.cpp.o

Linker script and memory map

 .text          0x0000000000401000        0x0 init/a.cpp.o
 .text._ZN5thole3runEv
                0x0000000000401000      0x100 init/a.cpp.o
 .rodata.table  0x0000000000402000       0x20 init/a.cpp.o
 .data.rel.ro   0x0000000000403000        0x8 init/b.cpp.o
 .bss.big       0x0000000000404000     0x9000 init/b.cpp.o
"""


def test_sections_of_a_linkers_map() -> None:
    """What was kept and takes room in the file, by the file it comes from."""
    assert binary.sections(_MAP) == {"init/a.cpp.o": 0x120, "init/b.cpp.o": 8}
