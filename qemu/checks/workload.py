"""Pods on the node: limits, memory, services, and what kubectl does with them."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import urllib.error
import urllib.request

from qemu.checks import objects
from qemu.checks.registry import CheckFailed, Lab, check, expect, expect_equal

ROLLOUT = 240
SHORT = 120


def web_pods(lab: Lab) -> list[objects.Object]:
    """The pods of the deployment, by name."""
    items = lab.node.get("pods", "-l", "app=web")["items"]
    return sorted(items, key=lambda one: one["metadata"]["name"])


def fetch(lab: Lab, url: str) -> str:
    """What a pod of the cluster gets from a URL: the name of the pod that answers, and the path."""
    answer = lab.node.kubectl("exec", "client", "--", objects.DEMO, "fetch", url, timeout=SHORT).strip()
    names = {one["metadata"]["name"] for one in web_pods(lab)}
    expect(
        answer.split(" ")[0] in names, f"{url} answers {answer!r}, which is none of the pods {sorted(names)}"
    )
    return answer


@check("a Deployment of two replicas with limits rolls out", needs=("takes-pods",))
def deployment_rolls_out(lab: Lab) -> str:
    lab.node.apply(
        objects.deployment("web", 2), objects.service("web"), objects.pod("client", "sleep"),
        objects.pod("greedy", "eat-memory", "200M", restart="Never", **objects.limits("64Mi", "500m")),
    )  # fmt: skip
    done = lab.node.run_kubectl(
        "rollout", "status", "deployment/web", f"--timeout={ROLLOUT}s", timeout=ROLLOUT + 30
    )
    if done.returncode != 0:
        state = lab.node.run_kubectl("describe", "pods", "-l", "app=web").stdout
        raise CheckFailed(
            f"the Deployment is not rolled out after {ROLLOUT} s: {done.stderr.strip()}\n{state}"
        )
    lab.node.wait_for("pod/client", "condition=Ready", SHORT)
    return ", ".join(one["status"]["podIP"] for one in web_pods(lab))


@check("the control groups below /kubepods hold the pods' limits", needs=("deployment-rolls-out",))
def limits_in_cgroups(lab: Lab) -> str:
    pods = web_pods(lab)
    expect_equal("the number of pods", len(pods), 2)
    for one in pods:
        group = objects.pod_cgroup(one)
        for folder in (group, f"{group}/{objects.container_id(one)}"):
            values = lab.node.agent.read_many(
                [f"{folder}/memory.max", f"{folder}/cpu.max", f"{folder}/cgroup.procs"]
            )
            expect(
                len(values) == 3, f"the control group {folder} is not there, or lacks files: {sorted(values)}"
            )
            expect_equal(
                f"{folder}/memory.max", values[f"{folder}/memory.max"].strip(), str(objects.MEMORY_MAX)
            )
            expect_equal(f"{folder}/cpu.max", values[f"{folder}/cpu.max"].strip(), objects.CPU_MAX)
        expect(values[f"{folder}/cgroup.procs"].strip(), f"no process is in {folder}")
    return f"memory.max {objects.MEMORY_MAX}, cpu.max {objects.CPU_MAX}"


@check("a container over its memory limit is OOM-killed and says so", needs=("deployment-rolls-out",))
def out_of_memory(lab: Lab) -> str:
    lab.node.wait_for("pod/greedy", "jsonpath={.status.phase}=Failed", SHORT)
    ended = lab.node.get("pod", "greedy")["status"]["containerStatuses"][0]["state"]["terminated"]
    expect_equal("the reason of the container's end", ended["reason"], "OOMKilled")
    expect_equal("its exit code", ended["exitCode"], 137)
    return f"{ended['reason']}, exit code {ended['exitCode']}"


@check("a Service answers another pod by its ClusterIP", needs=("deployment-rolls-out",))
def service_by_address(lab: Lab) -> str:
    address = lab.node.get("service", "web")["spec"]["clusterIP"]
    return f"{address}: {fetch(lab, f'http://{address}/')!r}"


@check("a Service answers another pod by its DNS name", needs=("deployment-rolls-out",))
def service_by_name(lab: Lab) -> str:
    # CoreDNS may have become ready a moment ago; its own deployment says when it is.
    lab.node.kubectl(
        "rollout",
        "status",
        "deployment/coredns",
        "-n",
        "kube-system",
        f"--timeout={SHORT}s",
        timeout=SHORT + 30,
    )
    for name in ("web", "web.default.svc.cluster.local"):
        fetch(lab, f"http://{name}/")
    return f"web, {name}"


@check("kubectl logs shows what a container wrote", needs=("service-by-address",))
def kubectl_logs(lab: Lab) -> str:
    lines = [
        line
        for one in web_pods(lab)
        for line in lab.node.kubectl("logs", one["metadata"]["name"]).splitlines()
    ]
    expect(lines, "the logs of both web servers are empty, though they have started and answered")
    return f"{len(lines)} lines, for instance {lines[0]!r}"


@check("kubectl exec runs a command, with its input, output and exit status", needs=("deployment-rolls-out",))
def kubectl_exec(lab: Lab) -> str:
    name = web_pods(lab)[0]["metadata"]["name"]
    answer = lab.node.kubectl("exec", name, "--", objects.DEMO, "fetch", f"http://127.0.0.1:{objects.PORT}/")
    expect(answer.strip(), "the command's output is empty")
    refused = lab.node.run_kubectl("exec", name, "--", objects.DEMO, "fetch", "http://127.0.0.1:1/")
    expect(refused.returncode not in (0, None), "a command that failed in the container ends with 0 here")
    return f"exit statuses 0 and {refused.returncode}"


@check("kubectl port-forward leads from this machine to a pod", needs=("deployment-rolls-out",))
def kubectl_port_forward(lab: Lab) -> str:
    argv = lab.node.kubectl_command(
        "port-forward", "deployment/web", f":{objects.PORT}", "--address=127.0.0.1"
    )
    child = subprocess.Popen(
        argv, env=lab.node.kubectl_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = threading.Timer(SHORT, child.kill)
    deadline.start()
    try:
        said = child.stdout.readline()
        match = re.search(r"Forwarding from 127\.0\.0\.1:(\d+)", said)
        if not match:
            child.kill()
            raise CheckFailed(f"kubectl port-forward says {said!r}: {child.stderr.read().strip()}")
        with urllib.request.urlopen(f"http://127.0.0.1:{match[1]}/", timeout=30) as answer:
            text = answer.read().decode(errors="replace")
        expect(text.strip(), "the answer through the forwarded port is empty")
        return f"{text.strip().splitlines()[0]!r}"
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        raise CheckFailed(f"nothing answers through the forwarded port: {error}") from error
    finally:
        deadline.cancel()
        child.kill()
        child.wait()
        child.stdout.close()
        child.stderr.close()


@check("the kubelet's figures know the root file system and the pods", needs=("deployment-rolls-out",))
def stats_summary(lab: Lab) -> str:
    summary = json.loads(
        lab.node.kubectl("get", "--raw", f"/api/v1/nodes/{lab.node.name}/proxy/stats/summary")
    )
    node = summary["node"]
    for name, value in (
        ("fs.capacityBytes", node.get("fs", {}).get("capacityBytes")),
        ("fs.usedBytes", node.get("fs", {}).get("usedBytes")),
        ("fs.availableBytes", node.get("fs", {}).get("availableBytes")),
        ("memory.workingSetBytes", node.get("memory", {}).get("workingSetBytes")),
        ("runtime.imageFs.usedBytes", node.get("runtime", {}).get("imageFs", {}).get("usedBytes")),
    ):
        expect(value, f"/stats/summary has no node.{name}")
    if not node.get("cpu", {}).get("usageNanoCores") and not node.get("cpu", {}).get("usageCoreNanoSeconds"):
        raise CheckFailed("/stats/summary has no figures of the node's processor")
    names = {pod["podRef"]["name"] for pod in summary.get("pods", [])}
    expect(
        any(name.startswith("web-") for name in names),
        f"/stats/summary has no pod of the deployment: {names}",
    )
    used, capacity = node["fs"]["usedBytes"] >> 20, node["fs"]["capacityBytes"] >> 20
    return f"root fs {used} of {capacity} MiB, {len(names)} pods"
