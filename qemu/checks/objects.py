"""The Kubernetes objects that the checks create."""

from __future__ import annotations

from typing import Any

DEMO_IMAGE = "localhost/thole/demo:1"
DEMO = "/demo"
PORT = 8080
CPU_LIMIT, CPU_MAX = "200m", "20000 100000"
MEMORY_LIMIT, MEMORY_MAX = "64Mi", 64 << 20

Object = dict[str, Any]


def container(*arguments: str, **more: Any) -> Object:
    """A container of the demo image, which is in the node's image store from the start."""
    return {
        "name": "main",
        "image": DEMO_IMAGE,
        "imagePullPolicy": "Never",
        "command": [DEMO, *arguments],
        **more,
    }


def limits(memory: str = MEMORY_LIMIT, cpu: str = CPU_LIMIT) -> Object:
    """Limits for memory and processor; lower requests, so that the pod is of the class Burstable."""
    return {
        "resources": {"limits": {"memory": memory, "cpu": cpu}, "requests": {"memory": "16Mi", "cpu": "10m"}}
    }


def deployment(name: str, replicas: int) -> Object:
    """Demo web servers that are ready when they answer."""
    probe = {"httpGet": {"path": "/", "port": PORT}, "periodSeconds": 1}
    server = container("serve", ports=[{"containerPort": PORT}], readinessProbe=probe, **limits())
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [server], "terminationGracePeriodSeconds": 2},
            },
        },
    }


def service(name: str) -> Object:
    """A cluster address for the deployment of that name."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": PORT}]},
    }


def pod(name: str, *arguments: str, restart: str = "Always", **more: Any) -> Object:
    """A pod of one container that does what `arguments` say."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "containers": [container(*arguments, **more)],
            "restartPolicy": restart,
            "terminationGracePeriodSeconds": 2,
        },
    }


def pod_cgroup(one: Object) -> str:
    """The control group of a pod, as the kubelet's cgroupfs driver names it."""
    quality = one["status"]["qosClass"].lower()
    return (
        "/sys/fs/cgroup/kubepods/"
        + ("" if quality == "guaranteed" else f"{quality}/")
        + f"pod{one['metadata']['uid']}"
    )


def container_id(one: Object) -> str:
    """The runtime's id of a pod's only container."""
    return one["status"]["containerStatuses"][0]["containerID"].rpartition("/")[2]
