"""Nodes in containers on a node of ours, for the tests of the container image."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from vm.tools import throwaway

from qemu.agent import Completed
from qemu.artifacts import Artifacts, one
from qemu.node import Node
from qemu.vm import GIB, Vm

READY, IMPORT, SHORT = 900.0, 900, 300
DISK = "/dev/vdc"


def host(
    artifacts: Artifacts, archive: Path, folder: Path, watch: Callable[[Vm], None], **more: Any
) -> Iterator[Node]:
    """A node with the container image in its store, powered off in order at the end."""
    extra = [
        "-blockdev", f"driver=raw,node-name=oci,read-only=on,file.driver=file,file.filename={archive}",
        "-device", "virtio-blk-pci,drive=oci,serial=oci",
    ]  # fmt: skip
    more = {"memory": 4 * GIB, "cpus": 2, "deadline": 3600.0} | more
    vm = Vm(throwaway(artifacts, folder / "vm", name="outer", extra=extra, **more))
    watch(vm)
    node = Node(vm.start())
    print(f"Ready {node.wait_ready(READY):.1f} s after power-on")
    node.wait_takes_pods(READY)
    start = time.monotonic()
    node.agent.check_output(("/usr/bin/ctr", "-n", "k8s.io", "images", "import", DISK), IMPORT)
    print(f"image imported in {time.monotonic() - start:.1f} s")
    yield node
    node.poweroff(120)
    vm.console.check()


def archive_of(build: Path, profile: str = "") -> Path:
    """The container image of the build, or that of another profile beside it."""
    return one(build, f"{profile.replace(',', '-')}-oci.tar" if profile else "oci.tar")


def pod_of_a_node(
    name: str, image: str, environment: dict[str, str], privileged: bool = True, **more: Any
) -> dict[str, Any]:
    """A pod that is a node, as docs/container.md has it."""
    folders = {"var": "/var", "run": "/run", "tmp": "/tmp"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "node"}},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 30,
            "containers": [
                {
                    "name": "node",
                    "image": image,
                    "imagePullPolicy": "Never",
                    "securityContext": {"privileged": privileged},
                    "env": [{"name": key, "value": value} for key, value in environment.items()],
                    "volumeMounts": [{"name": key, "mountPath": path} for key, path in folders.items()],
                }
            ],
            "volumes": [
                {"name": key, "emptyDir": {} if key == "var" else {"medium": "Memory"}} for key in folders
            ],
        }
        | more,
    }


class Inside:
    """Commands in a pod's container, by kubectl exec."""

    def __init__(self, node: Node, pod: str) -> None:
        self.node = node
        self.pod = pod

    def execute(self, *words: str, timeout: float = SHORT) -> Completed:
        """Exit status and what was printed."""
        done = self.node.run_kubectl("exec", self.pod, "--", *words, timeout=timeout)
        return Completed(done.returncode, done.stdout, done.stderr)

    def output(self, *words: str, timeout: float = SHORT) -> str:
        """The output of a command that must end with 0."""
        done = self.execute(*words, timeout=timeout)
        assert done.status == 0, f"{self.pod}: `{' '.join(words)}` ended with {done.status}: {done.output}"
        return done.stdout
