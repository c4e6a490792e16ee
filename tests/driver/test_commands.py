"""The command line, set-up's lists, the table, the completion, and shell scripts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from driver import artefacts, build, debian
from driver.commands.test import needed_beside, needs_image
from driver.errors import TholeError
from driver.main import COMMANDS

CHECKOUT = Path(__file__).resolve().parents[2]
THOLE = CHECKOUT / "thole"


def thole(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ./thole."""
    return subprocess.run(
        [sys.executable, THOLE, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_help(command: str) -> None:
    """Every command explains itself."""
    done = thole(command, "--help")
    assert done.returncode == 0 and done.stdout.startswith("usage: ./thole " + command)


def test_unknown_command() -> None:
    """A slip of the keys gets the nearest command."""
    done = thole("biuld")
    assert done.returncode == 2 and "did you mean 'build'?" in done.stderr


def test_unknown_profile() -> None:
    """One message with the profiles that there are."""
    done = thole("build", "--profile", "nonsense")
    assert done.returncode == 1
    assert done.stderr.startswith("error: there is no profile 'nonsense'") and "kubernetes" in done.stderr


def test_several_profiles() -> None:
    """The same profiles have one name, whatever their order; base is part of all."""
    assert build.need_profile("slurm,kubernetes") == build.need_profile("kubernetes,slurm") == "kubernetes,slurm"
    assert build.need_profile("base,slurm,slurm") == "slurm" and build.need_profile("base") == "base"
    with pytest.raises(TholeError, match="there is no profile 'x'"):
        build.need_profile("slurm,x")


def test_roots_beside_the_builds_own() -> None:
    """They are made where a test that boots them may be among those named; what only figures are of is not."""
    every = [name for name in build.ALSO if name != "base"]
    assert needed_beside([], long=True) == needed_beside(["vm"]) == every
    assert needed_beside([]) == ["slurm"]
    for name in ("vm/slurm", "vm/slurm-cluster", "vm/slurm-shared"):
        assert needed_beside([name]) == ["slurm"]
    assert needed_beside(["unit", "vm/boot", "vm/slurm-nothing"]) == []


def test_package_list() -> None:
    """Every group reads, and a wrong line is named by its number."""
    assert "gcc" in [package.name for package in debian.wanted("build")]
    assert debian.wanted("x", "[x]\na (>= 1.0)\n") == [debian.Wanted("a", "1.0")]
    with pytest.raises(TholeError, match=":2: not a package: A b"):
        debian.wanted("x", "[x]\nA b\n")


def test_requirements_are_pinned_and_hashed() -> None:
    """Nothing comes from the index unverified."""
    lines = [
        line
        for line in (CHECKOUT / "driver" / "requirements.txt").read_text().splitlines()
        if not line.startswith("#")
    ]
    assert lines and all("==" in line and "--hash=sha256:" in line for line in lines)


def test_sums_follow_the_file(tmp_path: Path) -> None:
    """A sum is computed again only when the file changed."""
    file = tmp_path / artefacts.PLACES["init"]
    file.parent.mkdir(parents=True)
    file.write_text("one")
    first = artefacts.collect(tmp_path)
    assert artefacts.collect(tmp_path) == first and first[0]["bytes"] == 3
    file.write_text("two")
    os.utime(file, ns=(0, 0))  # a clock tick may be longer than this test
    assert artefacts.collect(tmp_path)[0]["sha256"] != first[0]["sha256"]
    assert "init" in artefacts.table(first)


@pytest.mark.parametrize(
    ("names", "image"),
    [
        ([], True),
        (["unit"], False),
        (["unit/text", "driver/cache"], False),
        (["vm/boot"], True),
        (["*/boot"], True),
    ],
)
def test_needs_image(names: list[str], image: bool) -> None:
    """The image is built only where a VM test may run."""
    assert needs_image(names) == image


def complete(*words: str) -> list[str]:
    """What bash offers for the last of these words."""
    script = (
        f"source completion/thole.bash; COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; _thole"
    )
    if words[-1] == "''":
        script = script.replace("''", "'' ")
    done = subprocess.run(
        ["bash", "-c", script + '; printf "%s\\n" "${COMPREPLY[@]}"'],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_completion() -> None:
    """Commands, options, profiles."""
    assert complete("./thole", "bu") == ["build"]
    assert set(COMMANDS) <= set(complete("./thole", "''"))
    assert "--json" in complete("./thole", "build", "--")
    assert "kubernetes" in complete("./thole", "build", "--profile", "''")


def test_shell_scripts() -> None:
    """shellcheck has nothing to say."""
    scripts = [CHECKOUT / ".ci" / "run", CHECKOUT / "completion" / "thole.bash"]
    done = subprocess.run(["shellcheck", "-s", "bash", *scripts], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
