"""Long runs of fuzzers: which run, what is kept, and how a find is told. The fuzzers here are small scripts."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from driver import fuzz
from driver.commands.test import need_fuzzers_alone
from driver.display import Display
from driver.errors import TholeError

KNOWN = [fuzz.Fuzzer("calendar", "/x/calendar", "/c/calendar"), fuzz.Fuzzer("words", "/x/words", "/c/words")]
# Takes libFuzzer's options as far as the driver reads what comes of them.
SCRIPT = """#!/bin/sh
for word; do
    case $word in -artifact_prefix=*) finds=${word#*=} ;; esac
done
echo "stat::number_of_executed_units: 1234"
[ -z "$BREAKS" ] || { echo broken > "${finds}crash-1"; exit 77; }
"""


def script(folder: Path) -> fuzz.Fuzzer:
    """A fuzzer that breaks where BREAKS is set."""
    program = folder / "fuzzer"
    program.write_text(SCRIPT)
    program.chmod(0o755)
    return fuzz.Fuzzer("script", str(program), str(folder))


def test_choice() -> None:
    """All, some by either name, and an unknown one is named."""
    assert fuzz.chosen(KNOWN, []) == fuzz.chosen(KNOWN, ["fuzz"]) == KNOWN
    assert fuzz.chosen(KNOWN, ["fuzz/words"]) == fuzz.chosen(KNOWN, ["fuzz", "words"]) == KNOWN[1:]
    with pytest.raises(TholeError, match="no fuzzer nonsense"):
        fuzz.chosen(KNOWN, ["nonsense"])


def test_finds_are_named_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run without a find, then one with: its input lies in the cache and is in the line for the person."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(fuzz, "LOGS", tmp_path / "logs")
    one = script(tmp_path)
    quiet = fuzz.search(one, 1, [])
    assert not quiet.finds and quiet.status == 0 and quiet.inputs == 1234
    assert fuzz.line(quiet) == "script: 1,234 inputs, nothing found"
    monkeypatch.setenv("BREAKS", "1")
    broken = fuzz.search_all([one, one], 1, Display(io.StringIO()))
    assert any(str(tmp_path / "cache/thole/fuzz/script/finds/crash-1") in fuzz.line(run) for run in broken)
    # An old find that is still there is no find of this run.
    monkeypatch.delenv("BREAKS")
    assert not fuzz.search(one, 1, []).finds


@pytest.mark.parametrize(
    ("names", "minutes", "target"),
    [(["unit"], 1.0, []), (["fuzz", "vm/boot"], 1.0, []), (["fuzz"], 0.0, []), (["fuzz"], None, ["words"])],
)
def test_minutes_are_for_fuzzers(names: list[str], minutes: float | None, target: list[str]) -> None:
    """What makes no sense together is refused before anything is built."""
    import argparse

    with pytest.raises(TholeError):
        need_fuzzers_alone(argparse.Namespace(names=names, minutes=minutes, target=target))
