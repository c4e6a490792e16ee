"""A cluster of VMs: started together, ended together, and hurt one by one in between."""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from driver.errors import TholeError
from qemu import host
from qemu.agent import Agent, Completed
from qemu.checks.survival import until
from qemu.cluster.probe import Probe
from qemu.cluster.spec import ClusterSpec, address_of, kept_secret, mac_of, write_private
from qemu.cluster.wire import CARD, Wire
from qemu.console import ConsoleError, clean, find_trouble
from qemu.node import BOOT_TIMEOUT, Node
from qemu.vm import API_PORT, GIB, Vm, VmConfig

POWEROFF_PATIENCE = 30
DATA_SIZE = 8 * GIB
OFF, BOOTING, UP, ENDED = "off", "booting", "up", "ended"


class ClusterError(TholeError):
    """A cluster did not do what it should."""


class Member:
    """One node of a cluster, whether it runs or not. `agent` may be used by one thread at a time: take `busy`."""

    def __init__(self, name: str, folder: Path, card: list[str]) -> None:
        self.name = name
        self.address = address_of(name)
        self.mac = mac_of(name)
        self.folder = folder
        self.card = card  # QEMU's arguments for it
        self.vm: Vm | None = None
        self.busy = threading.RLock()
        self.answered = False  # the guest agent has, in this boot
        self.boots = 0
        self._node: Node | None = None

    @property
    def node(self) -> Node:
        """The node that runs now."""
        if not self._node or not self.alive():
            raise self._stands_still()
        return self._node

    @property
    def agent(self) -> Agent:
        """Its guest agent."""
        return self.node.agent

    def alive(self) -> bool:
        """Whether its VM runs."""
        return self.vm is not None and self.vm.alive()

    def state(self) -> str:
        """off, booting, up (its agent has answered), or ended (by itself)."""
        if not self.vm:
            return OFF
        if not self.vm.alive():
            return ENDED
        return UP if self.answered else BOOTING

    def wait(self, timeout: float = BOOT_TIMEOUT) -> None:
        """Until its guest agent answers. Whether its VM still runs is seen there: QEMU may have broken meanwhile."""
        node = self._node
        if not node:
            raise self._stands_still()
        with self.busy:
            node.wait_agent(timeout)
        self.answered = True

    def execute(self, *argv: str, timeout: float = 60) -> Completed:
        """Run a program on the node, without a shell; whatever its exit status."""
        with self.busy:
            return self.agent.execute(argv, timeout)

    def output(self, *argv: str, timeout: float = 60) -> str:
        """The output of a program that must end with 0."""
        with self.busy:
            return self.agent.check_output(argv, timeout)

    def read(self, path: str) -> str:
        """A text file of the node."""
        with self.busy:
            return self.agent.read_text(path)

    def _stands_still(self) -> ClusterError:
        return ClusterError(f"{self.name} does not run", f"start it: ./thole cluster start {self.name}")

    def begin(self, vm: Vm) -> None:
        """A VM of it has been started."""
        self.vm, self._node, self.answered = vm, Node(vm), False
        self.boots += 1

    def cut(self) -> None:
        """A power cut. Who waits for the agent gets an error first, and then gives it up."""
        if self.vm:
            self.vm.cut_power()
        with self.busy:
            if self.vm:
                self.vm.kill()
            self.vm, self._node, self.answered = None, None, False


class Cluster:
    """Nodes on one switch. Use it by `with`; start nodes only in a thread that lives as long as they do."""

    def __init__(self, spec: ClusterSpec, on_start: Callable[[Vm], object] = lambda vm: None) -> None:
        self.spec = spec
        self.nodes: dict[str, Member] = {}
        self.api_port = 0  # of this machine, to node1's API server, where there is an uplink
        self._on_start = on_start
        self._wire: Wire | None = None
        self._secret = ""

    @property
    def wire(self) -> Wire:
        """The network."""
        if not self._wire:
            raise ClusterError("the cluster was not started")
        return self._wire

    def start_all(self) -> Cluster:
        """Check, then start the switch and all nodes that are not to come later."""
        self.spec.check()
        self.spec.artifacts.check()
        self.spec.settle()
        self.spec.folder.mkdir(parents=True, exist_ok=True)
        self._secret = kept_secret(self.spec.folder)
        self._wire = Wire(self.spec.folder / "switch.log")
        try:
            for name in self.spec.names():
                folder = self.spec.folder / name
                folder.mkdir(exist_ok=True)
                for log in folder.glob("console*.log"):
                    log.unlink()
                self.nodes[name] = Member(name, folder, self._wire.card(name, mac_of(name), self.spec.streams))
            if self.spec.uplink:
                self.api_port = host.choose_port("auto")
                self._wire.open_gateway(
                    {self.api_port: (address_of("node1"), API_PORT)}, self.spec.folder / "gateway.log"
                )
            if self.spec.capture:
                self._wire.capture(self.spec.capture)
            for name in self.nodes:
                if name not in self.spec.absent:
                    self.start(name)
        except BaseException:
            self.close()
            raise
        return self

    def member(self, name: str) -> Member:
        """The node of that name."""
        if name not in self.nodes:
            raise ClusterError(f"there is no node `{name}`", f"there are {', '.join(self.nodes)}")
        return self.nodes[name]

    def running(self) -> list[Member]:
        """The nodes that run."""
        return [member for member in self.nodes.values() if member.alive()]

    def start(self, name: str) -> Member:
        """Start a node that does not run, on the data disk that it has."""
        member = self.member(name)
        if member.alive():
            raise ClusterError(f"{name} runs already")
        member.cut()  # of one that ended by itself, the sockets
        for log in (member.folder / "console.log", member.folder / "qemu.log"):
            if log.exists():
                log.replace(log.with_name(f"{log.stem}-{member.boots}{log.suffix}"))
        ini = member.folder / "node.ini"
        write_private(ini, self.spec.ini(name, self._secret))
        vm = Vm(
            VmConfig(
                artifacts=self.spec.artifacts,
                folder=member.folder,
                name=name,
                memory=self.spec.memory,
                minimum_memory=self.spec.memory,  # looked at for all nodes together
                cpus=self.spec.processors(name),
                data_size=DATA_SIZE,
                throwaway=self.spec.throwaway,
                node_config=ini,
                network=False,
                deadline=self.spec.deadline,
                extra=member.card,
                before_start=lambda: self.wire.expect(name),
                after_start=lambda vm: self._begun(name, vm),
            )
        )
        self._on_start(vm)
        vm.start()
        member.begin(vm)
        return member

    def kill(self, name: str) -> None:
        """A power cut for one node."""
        member = self.member(name)
        if not member.alive():
            raise ClusterError(f"{name} does not run")
        member.cut()

    def remake(self, name: str) -> Member:
        """A power cut, and a start with an empty data disk: the same machine with another identity."""
        member = self.member(name)
        member.cut()
        (member.folder / "data.img").unlink(missing_ok=True)
        return self.start(name)

    def wait_agents(self, timeout: float = BOOT_TIMEOUT) -> float:
        """Until the agents of all nodes that run have answered; the seconds that it took."""
        begun = time.monotonic()
        for member in self.running():
            member.wait(max(timeout - (time.monotonic() - begun), 1))
        return time.monotonic() - begun

    def until(self, what: str, condition: Callable[[], object], timeout: float) -> float:
        """Ask again and again until `condition()` holds; the seconds that it took."""
        begun = time.monotonic()
        until(what, condition, timeout)
        return time.monotonic() - begun

    def partition(self, groups: list[list[str]]) -> None:
        """Cut the network; nodes that are in no group are one more."""
        named = [name for group in groups for name in group]
        for name in named:
            self.member(name)
        twice = sorted({name for name in named if named.count(name) > 1})
        if twice:
            raise ClusterError(f"{', '.join(twice)} cannot be in two parts of the network")
        rest = [name for name in self.nodes if name not in named]
        parts = [group for group in [*groups, rest] if group]
        if len(parts) < 2:
            raise ClusterError("that is no partition: all nodes are in one part", "for instance node1,node2|node3")
        self.wire.partition(parts)

    def heal(self) -> None:
        """One network without loss again."""
        self.wire.heal()

    def unplug(self, name: str) -> None:
        """Pull the cable of a node: it sees that its link is gone."""
        self._link(name, up=False)

    def plug(self, name: str) -> None:
        """Put the cable in again."""
        self._link(name, up=True)

    def capture(self, path: Path) -> None:
        """Write what nodes send to a pcap file, until `wire.end_capture`."""
        self.wire.capture(path)

    def probe(self) -> Probe:
        """A host of our own on the network, for `with`."""
        return self.wire.probe()

    def flood(self, name: str, rate: float, seconds: float) -> None:
        """A stranger's datagrams to a node's bootstrap port; `wire.flood_report` says how it goes."""
        member = self.member(name)
        self.wire.flood(name, member.address, member.mac, rate, seconds)

    def press_power_buttons(self) -> None:
        """Ask all nodes to power off."""
        for member in self.running():
            with contextlib.suppress(TholeError):
                member.node.vm.qmp.powerdown()

    def stop(self, timeout: float = POWEROFF_PATIENCE) -> list[str]:
        """Power all nodes off and wait; the names of those that did not follow and lost their power."""
        self.press_power_buttons()
        limit = time.monotonic() + timeout
        late = []
        for member in self.running():
            try:
                member.node.vm.wait_end(max(limit - time.monotonic(), 0.1))
            except TholeError:
                late += [member.name] if member.alive() else []
        for member in self.nodes.values():
            member.cut()
        return late

    def trouble(self, allowed: Iterable[str] = ()) -> list[str]:
        """Lines of all consoles of all boots that no healthy node has, with the node's name."""
        excused = list(allowed)
        return [
            f"{member.name}: {line}"
            for member in self.nodes.values()
            for log in sorted(member.folder.glob("console*.log"))
            for line in find_trouble(clean(log.read_bytes()), excused)
        ]

    def check_consoles(self, allowed: Iterable[str] = ()) -> None:
        """Raise where a console shows trouble."""
        lines = self.trouble(allowed)
        if lines:
            raise ConsoleError(f"consoles show {len(lines)} lines of trouble:\n" + "\n".join(lines[:20]))

    def forget_disks(self) -> None:
        """Empty data disks and a new secret at the next start."""
        for path in self.spec.folder.glob("node*"):
            shutil.rmtree(path)
        (self.spec.folder / "secret").unlink(missing_ok=True)

    def explain(self) -> str:
        """How all nodes stand, for the end of a failure's message."""
        return "\n".join(member.vm.explain() for member in self.nodes.values() if member.vm)

    def close(self) -> None:
        """End everything now."""
        for member in self.nodes.values():
            member.cut()
        if self._wire:
            self._wire.close()
            self._wire = None

    def __enter__(self) -> Cluster:
        return self if self._wire else self.start_all()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close()
        if kind is None:
            self.check_consoles()

    def _begun(self, name: str, vm: Vm) -> None:
        self.wire.attach(name)
        vm.port = self.api_port if name == "node1" else 0  # for a kubeconfig of this machine

    def _link(self, name: str, up: bool) -> None:
        member = self.member(name)
        self.wire.plug(name, up)
        if member.alive():
            member.node.vm.qmp.execute("set_link", name=CARD, up=up)
