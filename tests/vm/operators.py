"""A real operator and its image: Kubeflow's MPI operator, built from its Go module (vm/operator)."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from driver import toolchain
from qemu.checks import objects
from qemu.node import Node
from services import go_build
from services.images import oci

SOURCE = Path(__file__).resolve().parent / "operator"
MODULE = "github.com/kubeflow/mpi-operator"
IMAGE = "localhost/thole/mpi-operator:1"
NAME = "mpi-operator"
# Its own manifests, in the module: what it may do, and the kind that it reconciles.
MANIFESTS = ("cluster-role.yaml", "kubeflow.org_mpijobs.yaml")


def build(folder: Path) -> Path:
    """The image's archive, in this folder."""
    go_build.build(go_build.Module("operator", SOURCE, {NAME: "."}), "x86_64", folder)
    archive = folder / f"{NAME}.tar"
    oci.write(oci.Image(IMAGE, {f"/{NAME}": folder / NAME}, [f"/{NAME}"], user="65532:65532"), archive)
    return archive


def manifests() -> list[Path]:
    """Where the module's manifests are on this machine."""
    listed = subprocess.run(
        [toolchain.go(), "list", "-m", "-json", MODULE],
        cwd=SOURCE, env=toolchain.go_environment(), capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    folder = Path(json.loads(listed)["Dir"]) / "manifests" / "base"
    return [folder / name for name in MANIFESTS]


def install(node: Node, timeout: float) -> None:
    """Its kind, its rights and itself, whose image is in the node's store; until it runs."""
    for path in manifests():
        # The kind is too large for the annotation that `kubectl apply` keeps of what it applied.
        node.kubectl("apply", "--server-side", "-f", str(path), timeout=timeout)
    node.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAME}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAME, "namespace": NAME}},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": NAME},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": NAME},
            "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": NAME}],
        },
        deployment(),
    )
    node.kubectl("rollout", "status", f"deployment/{NAME}", "-n", NAME, f"--timeout={timeout}s", timeout=timeout + 30)


def deployment() -> objects.Object:
    """One operator."""
    labels = {"app": NAME}
    container = {"name": NAME, "image": IMAGE, "imagePullPolicy": "Never", "args": ["-alsologtostderr"]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME, "namespace": NAME},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"serviceAccountName": NAME, "containers": [container]},
            },
        },
    }


def mpi_job(name: str, workers: int) -> dict[str, Any]:
    """A job of its kind: workers that serve, and a launcher that succeeds when the last of them has answered it by the
    name that the operator gave it."""
    last = f"http://{name}-worker-{workers - 1}.{name}.default.svc:{objects.PORT}/"

    def replica(count: int, *arguments: str) -> dict[str, Any]:
        container = objects.container(*arguments)
        return {"replicas": count, "template": {"spec": {"containers": [container]}}}

    return {
        "apiVersion": "kubeflow.org/v2beta1",
        "kind": "MPIJob",
        "metadata": {"name": name},
        "spec": {
            "launcherCreationPolicy": "WaitForWorkersReady",
            "runPolicy": {"cleanPodPolicy": "Running", "backoffLimit": 20},
            "mpiReplicaSpecs": {
                "Launcher": replica(1, "fetch", last),
                "Worker": replica(workers, "serve"),
            },
        },
    }
