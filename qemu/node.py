"""A node: a VM, its guest agent, and kubectl on this machine with the node's own admin rights."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from driver.errors import TholeError
from qemu.agent import Agent, AgentError
from qemu.channel import ChannelClosed
from qemu.vm import EMULATOR_FAULT, Vm, VmError

ADMIN_CONFIG = "/etc/kubernetes/admin.conf"
SERVER_NAME = "kubernetes"  # a name that every API server certificate of kubeadm carries
BOOT_TIMEOUT = 120
READY_TIMEOUT = 900.0
POWEROFF_LIMIT = 20
POLL = 0.25
STATE_COMMAND = ["/usr/bin/systemctl", "is-system-running"]
ATTEMPT = 30.0  # of one kubectl that is asked again and again


class NodeError(TholeError):
    """A node did not do what it should."""


class KubectlLate(NodeError):
    """A kubectl did not end in its time."""


class Node:
    """What a test, a check or a person wants of a running node."""

    def __init__(self, vm: Vm) -> None:
        self.vm = vm
        self.folder = vm.config.folder
        self.kubeconfig = self.folder / "kubeconfig"
        self.started = time.monotonic()
        self._name = ""

    @property
    def agent(self) -> Agent:
        """The guest agent's connection."""
        return self.vm.agent

    @property
    def name(self) -> str:
        """The node's name, which is its host name."""
        if not self._name:
            self._name = self.agent.read_text("/proc/sys/kernel/hostname").strip()
        return self._name

    def boot_id(self) -> str:
        """What tells this boot from every other."""
        return self.agent.read_text("/proc/sys/kernel/random/boot_id").strip()

    def wait_agent(self, timeout: float = BOOT_TIMEOUT) -> None:
        """Until commands can be run in the guest. Where QEMU itself breaks before, the guest is started again, once."""
        again = True
        while True:
            try:
                self.agent.wait(timeout)
                return
            except (AgentError, ChannelClosed) as error:
                if not again or not self.vm.emulator_failed():
                    raise NodeError(f"{error.what}\n{self.vm.explain()}", error.remedy) from error
            print(f"QEMU broke ({EMULATOR_FAULT} ...): {self.vm.config.name} is started again")
            self.vm.start_again()
            again = False

    def fetch_kubeconfig(self, timeout: float = READY_TIMEOUT) -> Path:
        """Wait for the admin's kubeconfig in the guest and write it for this machine."""
        limit = time.monotonic() + timeout
        while not self.agent.exists(ADMIN_CONFIG):
            self._still(
                limit, f"{ADMIN_CONFIG} is not there after {timeout:.0f} s: kubeadm's phases have not run"
            )
            time.sleep(POLL)
        content = self.agent.read_text(ADMIN_CONFIG)
        while "client-key-data:" not in content:  # opened while it was being written
            self._still(limit, f"{ADMIN_CONFIG} holds no key after {timeout:.0f} s")
            time.sleep(POLL)
            content = self.agent.read_text(ADMIN_CONFIG)
        secret = os.open(self.kubeconfig, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(secret, "w") as file:
            file.write(for_this_machine(content, self.vm.port))
        return self.kubeconfig

    def wait_takes_pods(self, timeout: float = READY_TIMEOUT) -> float:
        """Until a pod can be made: the controllers have made the default namespace's account, after the API server
        made its own first objects. The seconds since the VM was started.
        """
        limit = time.monotonic() + timeout
        problem = f"the cluster takes no pods after {timeout:.0f} s"
        self._until(("get", "serviceaccount", "default"), lambda _: True, limit, problem)
        return time.monotonic() - self.started

    def wait_ready(self, timeout: float = READY_TIMEOUT) -> float:
        """Until this boot's kubelet has reported the node Ready; the seconds since the VM was started.

        On a first boot the control plane still makes its own first objects then, see `wait_takes_pods`.
        """
        limit = time.monotonic() + timeout
        self.wait_agent(min(timeout, BOOT_TIMEOUT))
        self.fetch_kubeconfig(max(limit - time.monotonic(), 1))
        boot = self.boot_id()
        self._until(
            ("get", "node", self.name, "-o", "json"),
            lambda output: is_ready(json.loads(output), boot),
            limit,
            f"the node is not Ready after {timeout:.0f} s",
        )
        return time.monotonic() - self.started

    def wait_running(self, timeout: float = READY_TIMEOUT) -> float:
        """Until every unit is up, or has failed for good; the seconds since the VM was started. For nodes without
        Kubernetes; TholeError names what failed.
        """
        limit = time.monotonic() + timeout
        self.wait_agent(min(timeout, BOOT_TIMEOUT))
        while (state := self.agent.execute(STATE_COMMAND, ATTEMPT).stdout.strip()) != "running":
            if state == "degraded":
                raise NodeError(f"{self.name}: not all units run", "thole status and thole logs say why")
            self._still(limit, f"the node is still {state or 'silent'} after {timeout:.0f} s")
            time.sleep(POLL)
        return time.monotonic() - self.started

    def wait_for(self, what: str, condition: str, timeout: float, *more: str) -> None:
        """`kubectl wait`: until the object meets the condition; NodeError says how it stands otherwise."""
        done = self.run_kubectl(
            "wait",
            what,
            f"--for={condition}",
            f"--timeout={max(int(timeout), 1)}s",
            *more,
            timeout=timeout + 30,
        )
        if done.returncode != 0:
            state = self.run_kubectl("describe", what, *more, timeout=30).stdout
            raise NodeError(
                f"{what} did not reach {condition} within {timeout:.0f} s: {done.stderr.strip()}\n{state}"
            )

    def kubectl_command(self, *arguments: str) -> list[str]:
        """The argv of our own kubectl, as it runs on this machine."""
        program = self.vm.config.artifacts.kubernetes
        if not program:
            raise NodeError("the build has no Kubernetes", "./thole build --profile kubernetes makes it")
        return [os.fspath(kubectl_link(self.folder, program)), *arguments]

    def kubectl_environment(self) -> dict[str, str]:
        """Its environment: the node's kubeconfig, and a cache that ends with the folder."""
        return kubectl_environment(self.folder)

    def run_kubectl(
        self, *arguments: str, stdin: str | None = None, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl, whatever its exit status."""
        argv = self.kubectl_command(*arguments)
        try:
            return subprocess.run(
                argv, env=self.kubectl_environment(), input=stdin, capture_output=True, text=True,
                timeout=timeout, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise KubectlLate(f"`kubectl {' '.join(arguments)}` still runs after {timeout:.0f} s") from None

    def kubectl(self, *arguments: str, stdin: str | None = None, timeout: float = 60) -> str:
        """The output of a kubectl that must succeed."""
        done = self.run_kubectl(*arguments, stdin=stdin, timeout=timeout)
        if done.returncode != 0:
            raise NodeError(
                f"`kubectl {' '.join(arguments)}` ends with {done.returncode}: {done.stderr.strip()}"
            )
        return done.stdout

    def get(self, *arguments: str) -> Any:
        """`kubectl get ... -o json`."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def apply(self, *objects: dict[str, Any]) -> None:
        """Create or change these objects. By the server, without the API's description: to make and fetch that takes a
        busy machine longer than kubectl waits.
        """
        self.kubectl(
            "apply", "--server-side", "--validate=false", "-f", "-",
            stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}),
        )  # fmt: skip

    def poweroff(self, timeout: float = POWEROFF_LIMIT) -> float:
        """Ask the node to power off, and give the seconds until QEMU ended."""
        start = time.monotonic()
        self.agent.send("guest-exec", path="/usr/sbin/poweroff")
        self.vm.wait_end(timeout)
        return time.monotonic() - start

    def press_power_button(self, timeout: float = POWEROFF_LIMIT) -> float:
        """The same by the ACPI power button."""
        start = time.monotonic()
        self.vm.qmp.powerdown()
        self.vm.wait_end(timeout)
        return time.monotonic() - start

    def _until(
        self, arguments: tuple[str, ...], holds: Callable[[str], bool], limit: float, problem: str
    ) -> None:
        """Ask kubectl until it succeeds with an output that `holds`; NodeError with `problem` at the time `limit`.

        While the API server starts, kubectl itself tries for longer than an attempt has: that is "not yet".
        """
        while True:
            try:
                done = self.run_kubectl(*arguments, timeout=ATTEMPT)
                if done.returncode == 0 and holds(done.stdout):
                    return
                last = done.stderr.strip()
            except KubectlLate as error:
                last = error.what
            self._still(limit, f"{problem}: {last}")
            time.sleep(POLL)

    def _still(self, limit: float, problem: str) -> None:
        if not self.vm.alive():
            raise VmError(f"the VM ended while it was waited for\n{self.vm.explain()}")
        if time.monotonic() > limit:
            raise NodeError(f"{problem}\n{self.vm.explain()}")


def is_ready(node: dict[str, Any], boot: str) -> bool:
    """Whether a Node object says Ready; what it still says of an earlier boot than `boot` does not count."""
    status = node.get("status", {})
    ready = [one["status"] for one in status.get("conditions", []) if one["type"] == "Ready"]
    return ready == ["True"] and status.get("nodeInfo", {}).get("bootID") == boot


def for_this_machine(kubeconfig: str, port: int) -> str:
    """A node's kubeconfig, changed so that it leads through the forwarded port of this machine."""
    return re.sub(
        r"^(\s*)server:.*$",
        rf"\1server: https://127.0.0.1:{port}\n\1tls-server-name: {SERVER_NAME}",
        kubeconfig,
        flags=re.MULTILINE,
    )


def kubectl_link(folder: Path, program: Path) -> Path:
    """A link of the name kubectl to the multi-call binary, which goes by its name."""
    link = folder / "kubectl"
    if not link.is_symlink() or os.readlink(link) != os.fspath(program):
        link.unlink(missing_ok=True)
        link.symlink_to(program)
    return link


def kubectl_environment(folder: Path) -> dict[str, str]:
    """The environment of kubectl for the node whose files lie in `folder`."""
    return {
        **os.environ,
        "KUBECONFIG": os.fspath(folder / "kubeconfig"),
        "KUBECACHEDIR": os.fspath(folder / "cache"),
    }
