"""`./thole run`: a node on this machine, for a person, for one command, or for the checks."""

from __future__ import annotations

import argparse
import queue
import shlex
import shutil
import signal
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from driver.errors import TholeError
from qemu import host
from qemu.artifacts import Artifacts
from qemu.checks.table import check_and_print
from qemu.node import READY_TIMEOUT, Node
from qemu.root_folder import unpack
from qemu.session import Session, folder_of
from qemu.terminal import HELP, HELP_TEXT, LEAVE, Terminal
from qemu.vm import GIB, Vm, VmConfig

POWEROFF_PATIENCE = 30
FOLLOW = 0.1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `./thole run`."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--exec", metavar="COMMAND", help="run one command on the node when it is Ready, then end"
    )
    what.add_argument(
        "--check", action="store_true", help="run the checks on a node of its own, and print a table"
    )
    parser.add_argument("--node-config", metavar="FILE", type=Path, help="the node.ini to boot with")
    parser.add_argument(
        "--memory", metavar="SIZE", default="2G", help="memory of the VM (default: %(default)s)"
    )
    parser.add_argument(
        "--cpus", metavar="N", type=int, default=2, help="processors of the VM (default: %(default)s)"
    )
    parser.add_argument(
        "--port", metavar="PORT|auto", default=None,
        help="port of 127.0.0.1 that leads to the API server (default: 6443; with --check: auto)",
    )  # fmt: skip
    parser.add_argument(
        "--name", default="node", help="folder below build/run for the data disk (default: %(default)s)"
    )
    parser.add_argument(
        "--root", choices=["disk", "9p", "overlay", "tmpfs"], default="disk",
        help="where the root file system is: a disk with erofs, a folder of this machine by virtio-9p, the disk with"
        " changes in memory, or a copy of it in memory",
    )  # fmt: skip
    parser.add_argument("--fresh", action="store_true", help="begin with an empty data disk")
    parser.add_argument("--append", metavar="TEXT", default="", help="more for the kernel command line")
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=float,
        default=READY_TIMEOUT,
        help="how long the node may take to be Ready",
    )


def main(options: argparse.Namespace, artifacts: Artifacts | None = None) -> int:
    """Do what the options say; the exit status is the command's, or 0 and 1."""
    artifacts = artifacts or Artifacts.find()
    if options.check:
        with tempfile.TemporaryDirectory(prefix="thole-check-") as folder:
            return check_and_print(configure(options, artifacts, Path(folder)))
    with Session(folder_of(options.name)) as session:
        if options.fresh:
            (session.folder / "data.img").unlink(missing_ok=True)
        config = configure(options, artifacts, session.folder)
        if options.exec:
            return run_command(config, options.exec, options.timeout)
        return Interactive(config, options.timeout).run()


def configure(options: argparse.Namespace, artifacts: Artifacts, folder: Path) -> VmConfig:
    """The VM that the options describe."""
    in_memory = f" thole.node.root={options.root}" if options.root in ("overlay", "tmpfs") else ""
    return VmConfig(
        artifacts=artifacts,
        folder=folder,
        name=options.name,
        memory=host.parse_size(options.memory),
        cpus=options.cpus,
        port=options.port or ("auto" if options.check else 6443),
        node_config=options.node_config,
        command_line=options.append + in_memory,
        throwaway=options.check,
        reboots=not (options.check or options.exec),
        data_size=8 * GIB,
        root_folder=unpack(artifacts.root_tar, folder / "root") if options.root == "9p" else None,
    )


def run_command(config: VmConfig, command: str, timeout: float) -> int:
    """`--exec`: the command's output is ours, and so is its exit status."""
    argv = shlex.split(command)
    if not argv:
        raise TholeError("--exec has no command", 'for instance: ./thole run --exec "thole status"')
    with Vm(config) as vm:
        node = Node(vm)
        print(f"waiting for the node to be up (console: {vm.console.path})", file=sys.stderr, flush=True)
        if has_kubernetes(node):
            node.wait_ready(timeout)
        else:
            node.wait_running(timeout)
        done = node.agent.execute(argv, timeout)
        sys.stdout.write(done.stdout)
        sys.stdout.flush()
        sys.stderr.write(done.stderr)
        end_orderly(vm, lambda text: print(text, file=sys.stderr))
    return done.status


def has_kubernetes(node: Node) -> bool:
    """Whether this build's nodes run it: those of the profiles base and slurm do not."""
    return node.vm.config.artifacts.kubernetes is not None


def end_orderly(vm: Vm, say) -> None:
    """Press the power button and wait; a node that does not follow loses its power."""
    try:
        vm.qmp.powerdown()
        vm.wait_end(POWEROFF_PATIENCE)
    except TholeError as error:
        if vm.alive():
            say(f"the node did not power off within {POWEROFF_PATIENCE} s, and loses its power: {error.what}")


class Interactive:
    """A node that runs until it powers off or the person leaves."""

    def __init__(self, config: VmConfig, timeout: float) -> None:
        self.config = config
        self.timeout = timeout
        self.events: queue.Queue[tuple[str, str]] = queue.Queue()
        self.terminal: Terminal | None = None
        self._shown = 0

    def run(self) -> int:
        """Start it, say when it is Ready, and end it in order."""
        with ExitStack() as stack:
            if sys.stdin.isatty() and sys.stdout.isatty():
                folder = Path(tempfile.mkdtemp(prefix="thole-tty-"))
                stack.callback(shutil.rmtree, folder, True)
                self.config.console_socket = folder / "console"
                self.terminal = Terminal(self.config.console_socket, lambda key: self.events.put((key, "")))
            print(f"starting a node: {self.config.cpus} CPUs, {self.config.memory // host.MIB} MiB,"
                  f" data disk {self.config.data}", flush=True)  # fmt: skip
            print("to leave: Ctrl-A x" if self.terminal else "to leave: Ctrl-C", flush=True)
            vm = stack.enter_context(Vm(self.config))
            if self.terminal:
                stack.enter_context(self.terminal)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                previous = signal.signal(number, lambda *_: self.events.put((LEAVE, "")))
                stack.callback(signal.signal, number, previous)
            threading.Thread(target=self._watch, args=(Node(vm),), name="readiness", daemon=True).start()
            return self._loop(vm)

    def say(self, text: str) -> None:
        """Lines of our own, between the node's."""
        if self.terminal:
            self.terminal.say(text)
        else:
            print(text, flush=True)

    def _watch(self, node: Node) -> None:
        try:
            if not has_kubernetes(node):
                self.events.put(("ready", f"node {node.name} is up after {node.wait_running(self.timeout):.1f} s"))
                return
            seconds = node.wait_ready(self.timeout)
            self.events.put(("ready", usage(node, seconds)))
            self.events.put(("ready", f"the cluster takes pods after {node.wait_takes_pods(self.timeout):.1f} s"))
        except TholeError as error:
            self.events.put(("unready", error.what.splitlines()[0]))

    def _loop(self, vm: Vm) -> int:
        leaving = 0.0
        while vm.alive():
            self._follow(vm)
            if leaving and time.monotonic() > leaving:
                self.say(f"the node did not power off within {POWEROFF_PATIENCE} s: it loses its power")
                return 1
            try:
                event, text = self.events.get(timeout=FOLLOW)
            except queue.Empty:
                continue
            if event == HELP:
                self.say(HELP_TEXT)
            elif event == LEAVE and leaving:
                return 1  # the second time: at once
            elif event == LEAVE:
                leaving = time.monotonic() + POWEROFF_PATIENCE
                self.say("powering the node off (again: at once)")
                vm.qmp.powerdown()
            elif not leaving:
                self.say(text)
        self._follow(vm)
        try:
            vm.wait_end(5)
        except TholeError as error:
            self.say(str(error))
            return 1
        return 0

    def _follow(self, vm: Vm) -> None:
        """Without a terminal: print what the console got since the last time, by whole lines."""
        if self.terminal:
            return
        text = vm.console.text()
        end = text.rfind("\n") + 1
        if end > self._shown:
            sys.stdout.write(text[self._shown : end])
            sys.stdout.flush()
            self._shown = end


def usage(node: Node, seconds: float) -> str:
    """What a person can do with a Ready node."""
    option = "" if node.vm.config.name == "node" else f" --name {node.vm.config.name}"
    return (
        f"node {node.name} is Ready after {seconds:.1f} s\n"
        f"  in another terminal:  ./thole kubectl{option} get nodes\n"
        f"  any other client:     KUBECONFIG={node.kubeconfig}\n"
        f"  the API server:       https://127.0.0.1:{node.vm.port}"
    )
