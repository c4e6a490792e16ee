"""What is waited for in a node, with a kubectl whose answers are given."""

from __future__ import annotations

import json
from pathlib import Path
from subprocess import CompletedProcess
from types import SimpleNamespace
from typing import cast

import pytest

from qemu.node import KubectlLate, Node, NodeError
from qemu.vm import Vm

BOOT = "this boot"
Answer = CompletedProcess[str] | NodeError


def node_object(ready: str, boot: str = BOOT) -> CompletedProcess[str]:
    """What kubectl says of a node."""
    status = {"conditions": [{"type": "Ready", "status": ready}], "nodeInfo": {"bootID": boot}}
    return CompletedProcess([], 0, json.dumps({"status": status}), "")


class Told(Node):
    """A node whose guest is there at once, and whose kubectl gives these answers, one after the other."""

    def __init__(self, answers: list[Answer]) -> None:
        vm = SimpleNamespace(config=SimpleNamespace(folder=Path()), alive=lambda: True, explain=lambda: "its console")
        super().__init__(cast(Vm, vm))
        self._name = "node"
        self.answers = answers

    def wait_agent(self, timeout: float = 0) -> None:
        """It is there."""

    def fetch_kubeconfig(self, timeout: float = 0) -> None:  # type: ignore[override]
        """It is there."""

    def boot_id(self) -> str:
        """Always the same."""
        return BOOT

    def run_kubectl(self, *arguments: str, stdin: str | None = None, timeout: float = 0) -> CompletedProcess[str]:
        """The next answer."""
        answer = self.answers.pop(0)
        if isinstance(answer, NodeError):
            raise answer
        return answer


def test_a_kubectl_that_is_late_is_asked_again() -> None:
    refused = CompletedProcess([], 1, "", "connection refused")
    node = Told([KubectlLate("late"), refused, node_object("False"), node_object("True", "old"), node_object("True")])
    node.wait_ready()
    assert not node.answers


def test_it_is_not_waited_for_ever() -> None:
    with pytest.raises(NodeError, match="not Ready after 0 s: late"):
        Told([KubectlLate("late")]).wait_ready(timeout=0)


def test_what_waiting_does_not_mend_is_said_at_once() -> None:
    with pytest.raises(NodeError, match="no Kubernetes"):
        Told([NodeError("the build has no Kubernetes")]).wait_ready()
