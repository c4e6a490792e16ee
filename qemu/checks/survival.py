"""What the node must live through: a dead kubelet, a power-off, a second boot. The last checks of all."""

from __future__ import annotations

import time
from collections.abc import Callable

from driver.errors import TholeError
from qemu.checks import objects
from qemu.checks.registry import CheckFailed, Lab, check, expect, expect_equal
from qemu.checks.workload import SHORT, fetch, web_pods
from qemu.images import check_ext4
from qemu.node import POWEROFF_LIMIT

KUBELET_GROUP = "/sys/fs/cgroup/services/kubelet"
POLL = 0.25
# The container that eats too much memory ends with these lines of the kernel.
PROVOKED = (r"[Mm]emory cgroup out of memory", r"oom-kill:", r"invoked oom-killer", r"Call Trace:")


def until(what: str, condition: Callable[[], object], timeout: float) -> None:
    """Ask the guest again and again until `condition()` holds. A question that fails, as one to an API server that starts,
    is asked again, too.
    """
    limit = time.monotonic() + timeout
    while True:
        why = ""
        try:
            if condition():
                return
        except TholeError as error:
            why = f" ({error.what})"
        if time.monotonic() > limit:
            raise CheckFailed(f"{what}: not so within {timeout:.0f} s{why}")
        time.sleep(POLL)


def processes(lab: Lab, group: str) -> list[str]:
    """The process ids in a control group; none where it is not there."""
    return next(iter(lab.node.agent.read_many([f"{group}/cgroup.procs"]).values()), "").split()


def containers(lab: Lab) -> dict[str, tuple[str, int, list[str]]]:
    """Of every running pod of ours: the container's id, its restarts and its processes."""
    found = {}
    for one in lab.node.get("pods")["items"]:
        if one["status"]["phase"] == "Running":
            identity = objects.container_id(one)
            restarts = one["status"]["containerStatuses"][0]["restartCount"]
            group = f"{objects.pod_cgroup(one)}/{identity}"
            found[one["metadata"]["name"]] = (identity, restarts, processes(lab, group))
    return found


@check("a kubelet killed by SIGKILL comes back, and its pods never notice", needs=("deployment-rolls-out",))
def kubelet_killed(lab: Lab) -> str:
    before = containers(lab)
    old = processes(lab, KUBELET_GROUP)
    expect(old, f"no process is in {KUBELET_GROUP}")
    lab.node.agent.write_file(f"{KUBELET_GROUP}/cgroup.kill", b"1")
    start = time.monotonic()
    until("a new kubelet process", lambda: set(processes(lab, KUBELET_GROUP)) - set(old), SHORT)
    seconds = time.monotonic() - start
    # A pod made now runs only when the new kubelet has gone through what is there already.
    lab.node.apply(objects.pod("after-kill", "sleep"))
    lab.node.wait_for("pod/after-kill", "condition=Ready", SHORT)
    lab.node.wait_for(f"node/{lab.node.name}", "condition=Ready", SHORT)
    after = containers(lab)
    after.pop("after-kill", None)
    expect_equal("what runs in the pods (container id, restarts, processes)", after, before)
    return f"new process after {seconds:.1f} s, {len(before)} pods untouched"


@check(f"poweroff ends within {POWEROFF_LIMIT} s", needs=("node-ready",))
def powers_off(lab: Lab) -> str:
    node = lab.node
    lab.memory["before"] = {
        "node UID": node.get("node", node.name)["metadata"]["uid"],
        "machine-id": node.agent.read_text("/etc/machine-id").strip(),
        "node name": node.name,
    }
    lab.memory["boot"] = node.boot_id()
    lab.memory["pods"] = {one["metadata"]["name"]: one["metadata"]["uid"] for one in web_pods(lab)}
    return f"{node.poweroff(POWEROFF_LIMIT):.1f} s"


@check("the data disk's file system is clean afterwards", needs=("powers-off",))
def clean_data_disk(lab: Lab) -> None:
    check_ext4(lab.config.data)


@check("the console of the first boot shows no trouble", needs=("boots",))
def quiet_console(lab: Lab) -> None:
    lab.vm.console.check(allowed=PROVOKED)


@check("a second boot of the same data disk is the same node with the same pods", needs=("powers-off",))
def second_boot(lab: Lab) -> str:
    node = lab.boot()
    seconds = node.wait_ready()
    expect(node.boot_id() != lab.memory["boot"], "this is still the first boot")
    found = {
        "node UID": node.get("node", node.name)["metadata"]["uid"],
        "machine-id": node.agent.read_text("/etc/machine-id").strip(),
        "node name": node.name,
    }
    expect_equal("the node", found, lab.memory["before"])
    return f"Ready after {seconds:.1f} s, machine-id {found['machine-id']}"


@check("its pods run again and its Service answers", needs=("second-boot", "service-by-address"))
def pods_again(lab: Lab) -> str:
    node = lab.node

    def all_restarted() -> bool:
        pods = web_pods(lab)
        return len(pods) == 2 and all(
            status["ready"] and status["restartCount"] >= 1
            for one in pods
            for status in one["status"].get("containerStatuses", [{"ready": False}])
        )

    until("both web servers run again and are ready", all_restarted, SHORT)
    expect_equal(
        "the pods",
        {one["metadata"]["name"]: one["metadata"]["uid"] for one in web_pods(lab)},
        lab.memory["pods"],
    )
    address = node.get("service", "web")["spec"]["clusterIP"]
    answers_again(lab, f"http://{address}/")
    return f"{address} answers"


@check("the second power-off is in order as well, and its console quiet", needs=("second-boot",))
def second_end(lab: Lab) -> str:
    seconds = lab.node.poweroff(POWEROFF_LIMIT)
    check_ext4(lab.config.data)
    lab.vm.console.check(allowed=PROVOKED)
    return f"{seconds:.1f} s"


def answers_again(lab: Lab, url: str) -> None:
    """The pod that asks and the addresses behind the Service are only just back: ask until the deadline."""
    problem = ""

    def answered() -> bool:
        nonlocal problem
        try:
            return bool(fetch(lab, url))
        except TholeError as error:
            problem = error.what
            return False

    try:
        until(f"an answer from {url}", answered, SHORT)
    except CheckFailed as error:
        raise CheckFailed(f"{error.what} ({problem})") from error
