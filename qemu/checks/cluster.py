"""The node as Kubernetes sees it."""

from __future__ import annotations

from qemu.checks.machine import FORBIDDEN
from qemu.checks.registry import Lab, check, expect


@check("the node is Ready", needs=("boots",))
def node_ready(lab: Lab) -> str:
    seconds = lab.node.wait_ready()
    version = lab.node.get("node", lab.node.name)["status"]["nodeInfo"]
    return (
        f"{seconds:.1f} s after power-on, {version['kubeletVersion']}, {version['containerRuntimeVersion']}"
    )


@check("the cluster takes pods: API server and controllers have made their first objects", needs=("node-ready",))
def takes_pods(lab: Lab) -> str:
    return f"{lab.node.wait_takes_pods():.1f} s after power-on"


@check("no process is named dbus or systemd", needs=("node-ready",))
def no_dbus_or_systemd_process(lab: Lab) -> str:
    agent = lab.node.agent
    last = int(agent.read_text("/proc/loadavg").split()[4])
    names = agent.read_many([f"/proc/{number}/comm" for number in range(1, last + 1)])
    found = {path: name.strip() for path, name in names.items() if FORBIDDEN.match(name)}
    expect(not found, f"such processes run: {found}")
    expect("/proc/1/comm" in names, "not even PID 1 has a name in /proc")
    return f"{len(names)} processes and threads up to {last}"
