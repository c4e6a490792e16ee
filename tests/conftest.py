"""Names and choice of tests for `./thole test`, and what a failing VM test shows.

Every test has a name LAYER/NAME: the folder below tests/ and the file without `test_`, with dashes, so that
tests/vm/test_bad_input.py is vm/bad-input. The marker `name` gives another one, as for the native tests.
"""

from __future__ import annotations

import fnmatch
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
CHECKOUT = TESTS.parent
sys.path.insert(0, str(CHECKOUT))

from qemu.artifacts import BUILD, Artifacts  # noqa: E402 - needs the path above
from qemu.vm import Vm  # noqa: E402

RUNNING = pytest.StashKey[list[Vm]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options that `./thole test` hands over."""
    group = parser.getgroup("thole")
    group.addoption("--names", action="store_true", help="print every test's name (LAYER/NAME) and end")
    group.addoption(
        "--select", action="append", default=[], metavar="NAME", help="run LAYER/NAME, LAYER or a pattern"
    )
    group.addoption("--all", action="store_true", help="run the long tests too")
    group.addoption(
        "--build", type=Path, default=BUILD, help="build directory with the images (default: %(default)s)"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Say what our markers are."""
    config.addinivalue_line("markers", "long: runs only with --all or when it is named")
    config.addinivalue_line("markers", "name(text): the test's name for `./thole test`")


def name_of(item: pytest.Item) -> str:
    """LAYER/NAME of a test."""
    marker = item.get_closest_marker("name")
    if marker:
        return marker.args[0]
    stem = item.path.stem.removeprefix("test_").replace("_", "-")
    if TESTS not in item.path.parents:
        return f"unit/{item.path.relative_to(CHECKOUT).parts[0]}-{stem}"
    layer = item.path.relative_to(TESTS).parts[0]
    return f"{layer}/{stem}"


def chosen(name: str, patterns: list[str]) -> bool:
    """Whether a name is one that was asked for."""
    return any(
        name == one or name.startswith(one.rstrip("/") + "/") or fnmatch.fnmatch(name, one)
        for one in patterns
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep what was asked for; print the names and keep nothing with --names."""
    patterns = config.getoption("--select")
    names = {item: name_of(item) for item in items}
    if config.getoption("--names"):
        usual = {names[item] for item in items if not item.get_closest_marker("long")}
        for name in sorted(set(names.values())):
            print(name if name in usual else f"{name}  (only with --all)")
        items.clear()
        return
    unknown = [one for one in patterns if not any(chosen(name, [one]) for name in names.values())]
    if unknown:
        raise pytest.UsageError(f"no test is named {', '.join(unknown)}; ./thole test --list names them all")
    if patterns:
        kept = [item for item in items if chosen(names[item], patterns)]
    else:
        every = config.getoption("--all")
        kept = [item for item in items if every or not item.get_closest_marker("long")]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A list of names is no failure, though it runs no test."""
    if session.config.getoption("--names") and exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        session.exitstatus = pytest.ExitCode.OK


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    """Show the consoles of a failed test's VMs."""
    report = yield
    if report.failed:
        for vm in item.session.stash.get(RUNNING, []):
            report.sections.append((f"VM {vm.config.name}", vm.explain()))
    return report


@pytest.fixture(scope="session")
def build(request: pytest.FixtureRequest) -> Path:
    """Where the build's files are."""
    return Path(request.config.getoption("--build"))


@pytest.fixture(scope="session")
def artifacts(request: pytest.FixtureRequest) -> Artifacts:
    """What the build made; ./thole test builds before it comes here."""
    return Artifacts.find(request.config.getoption("--build"))


@pytest.fixture(scope="session")
def slurm_artifacts(request: pytest.FixtureRequest) -> Artifacts:
    """The same with the root file system of the profile slurm."""
    return Artifacts.find(request.config.getoption("--build"), "slurm")


@pytest.fixture
def watched(request: pytest.FixtureRequest) -> Iterator[list[Vm]]:
    """Put a VM into this list: a failure shows its console, and it ends with the test."""
    yield from watch(request.session)


@pytest.fixture(scope="module")
def watched_by_module(request: pytest.FixtureRequest) -> Iterator[list[Vm]]:
    """The same for a VM that several tests of a module share."""
    yield from watch(request.session)


def watch(session: pytest.Session) -> Iterator[list[Vm]]:
    """A list of VMs whose consoles the report shows while they are in it."""
    running = session.stash.setdefault(RUNNING, [])
    mine: list[Vm] = []

    class Watched(list):
        def append(self, vm: Vm) -> None:
            running.append(vm)
            mine.append(vm)

    yield Watched()
    for vm in mine:
        vm.kill()
        running.remove(vm)
