"""Each case runs once in each kind of machine that has what it needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from pid1 import namespace_machine, vm_machine
from pid1.cases import KINDS, Case
from pid1.machine import AT_REST, Machine
from pid1.namespace_machine import NamespaceMachine
from pid1.tree import Programs
from pid1.vm_machine import VmMachine

OUTCOMES = pytest.StashKey[dict[int, dict[str, str]]]()
MACHINES = pytest.StashKey[list[Machine]]()


def pytest_configure(config: pytest.Config) -> None:
    """Say what our marker is."""
    config.addinivalue_line("markers", "case(Case): a numbered case of what a PID 1 must survive")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test for each kind of machine."""
    marker = metafunc.definition.get_closest_marker("case")
    if marker and "machine" in metafunc.fixturenames:
        one: Case = marker.args[0]
        kinds = [kind for kind in KINDS if one.only in ("", kind)]
        metafunc.parametrize(
            "machine",
            [pytest.param(kind, id=kind, marks=pytest.mark.name(one.name(kind))) for kind in kinds],
            indirect=True,
        )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Namespaces first, because they are quick; then by number; the look at all of them last."""

    def order(item: pytest.Item) -> tuple[int, int]:
        if item.path.parent != Path(__file__).parent:
            return (0, 0)
        marker = item.get_closest_marker("case")
        if not marker:
            return (3, 0)
        return (1 if "/namespace/" in item.get_closest_marker("name").args[0] else 2, marker.args[0].number)

    ours = sorted((item for item in items if order(item)[0]), key=order)
    places = [at for at, item in enumerate(items) if order(item)[0]]
    for at, item in zip(places, ours, strict=True):
        items[at] = item


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    """Note how each case went, and show the console of one that failed."""
    report = yield
    marker = item.get_closest_marker("case")
    if marker and (report.when == "call" or report.skipped):
        kind = item.callspec.params["machine"]
        outcomes = item.session.stash.setdefault(OUTCOMES, {})
        outcomes.setdefault(marker.args[0].number, {})[f"{kind}: {item.name}"] = report.outcome
    if report.failed:
        for machine in item.session.stash.get(MACHINES, []):
            report.sections.append((f"console of the {machine.kind} machine", machine.explain()))
    return report


def lacking(kind: str) -> dict[str, str]:
    """The features that a kind of machine does not have here, and why."""
    return namespace_machine.features() if kind == "namespace" else vm_machine.LACKING


@pytest.fixture(scope="session")
def build(request: pytest.FixtureRequest) -> Path:
    """The build directory."""
    return request.config.getoption("--build")


@pytest.fixture(scope="session")
def shared_vm(build: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Machine]]:
    """The VM that most cases share, started by the first one that wants it, or again where a case broke it."""
    machines: list[Machine] = []
    yield machines
    for machine in machines:
        machine.end()


@pytest.fixture
def machine(
    request: pytest.FixtureRequest, build: Path, tmp_path_factory: pytest.TempPathFactory, shared_vm: list[Machine]
) -> Iterator[Machine]:
    """The machine that a case wants, with its units in it."""
    kind: str = request.param
    one: Case = request.node.get_closest_marker("case").args[0]
    missing = {need: lacking(kind)[need] for need in one.needs if need in lacking(kind)}
    if missing:
        pytest.skip("; ".join(missing.values()))
    running = request.session.stash.setdefault(MACHINES, [])
    running.clear()
    if kind == "namespace":
        machine: Machine = NamespaceMachine(Programs.find(build), one.units, one.boot)
    elif one.own:
        machine = VmMachine(build, tmp_path_factory.mktemp("vm"), one.units, one.boot)
    else:
        yield from share(one, build, tmp_path_factory, shared_vm, running)
        return
    running.append(machine)
    try:
        yield machine
        if not one.own:
            machine.check()
    finally:
        machine.end()


def share(
    one: Case, build: Path, factory: pytest.TempPathFactory, shared: list[Machine], running: list[Machine]
) -> Iterator[Machine]:
    """The shared VM, with the case's units for as long as the case lasts."""
    if not shared:
        shared.append(VmMachine(build, factory.mktemp("vm"), {}))
    machine = shared[0]
    running.append(machine)
    machine.excused.clear()
    machine.checked = len(machine.console())
    healthy = False
    try:
        done = machine.load(one.units)
        assert done.code == 0, f"PID 1 does not take the units: {done.stdout}"
        yield machine
        if one.units:
            machine.unload(*one.units)
            machine.until("all of its units gone", lambda: not any_left(machine, one.units))
        machine.check()
        healthy = True
    finally:
        if not healthy:
            machine.end()
            shared.clear()


def any_left(machine: Machine, units: Iterable[str]) -> bool:
    """Whether a unit of a case still runs."""
    now = machine.units()
    return any(name in now and (now[name].pid > 0 or now[name].state not in AT_REST) for name in units)
