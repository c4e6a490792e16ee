"""PID 1 of a container that the real runc makes as Docker has it made, without and with --privileged."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from pid1.cases import case, unit
from pid1.conftest import MACHINES
from pid1.machine import Boot, Machine
from pid1.oci import ADDRESS, HOST_NAME, PLACE, Container, Options, install
from pid1.vm_machine import VmMachine

Make = Callable[..., Container]
STOP_TIME = 10  # after which `docker stop` sends SIGKILL
SETTINGS = "kernel.panic = 10\nvm.overcommit_memory = 1\n"
SERVICES = {
    "web": unit("sleep-forever", "oom-score-adjust = -100", cgroup="memory.max = 64M"),
    "speaker": unit("notify - sleep STATUS=mine READY=1", "readiness = notify", unit="requires = web"),
}
# glibc's SIGRTMIN + 3, which engines mean by that name, whatever C library the container has.
SIGNALS = {"SIGTERM": signal.SIGTERM, "SIGINT": signal.SIGINT, "SIGPWR": signal.SIGPWR, "SIGRTMIN+3": 37}


@pytest.fixture(scope="module")
def container_host(build: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VmMachine]:
    """A VM with runc, and a disk for its containers."""
    folder = tmp_path_factory.mktemp("oci")
    machine = VmMachine(build, folder, {}, Boot(data_disk=True), lambda root: install(root, build))
    machine.act("make-directory", PLACE)
    yield machine
    machine.end()


@pytest.fixture
def machine(request: pytest.FixtureRequest, container_host: VmMachine) -> Iterator[Machine]:
    """The VM, which has to be in good health after each container, its disk too."""
    running = request.session.stash.setdefault(MACHINES, [])
    running[:] = [container_host]
    yield container_host
    container_host.check()
    container_host.write(f"{PLACE}/still-writable", request.node.name)


@pytest.fixture
def make(machine: Machine, request: pytest.FixtureRequest) -> Iterator[Make]:
    """Makes containers, which end with the test."""
    made: list[Container] = []

    def container(units: Mapping[str, str] | None = None, **options: object) -> Container:
        name = re.sub(r"[^a-z0-9]+", "-", f"{request.node.name.removeprefix('test_')}-{len(made)}".lower())
        made.append(Container(machine, name, units or {}, Options(**options)))
        return made[-1]

    yield container
    for one in made:
        print(f"-- {one.name}\n{one.console()}")
        one.remove()


def check_console(container: Container) -> None:
    """Nothing that reads as a failure, and nothing said again and again."""
    lines = [line.partition("] ")[2] for line in container.console().splitlines()]
    for line in lines:
        assert not re.match(r"(failed|restart|kill|error) ", line), line
    assert len(lines) == len(set(lines)), lines


def check_stop(container: Container) -> None:
    """`docker stop`."""
    begun = time.monotonic()
    assert container.stop() == 0
    assert time.monotonic() - begun < STOP_TIME
    for name in ("web", "speaker"):
        assert f"stopped  {name}" in container.console()


@case(0, "oci-unprivileged-container", only="vm")
def test_unprivileged(make: Make, machine: Machine) -> None:
    """As `docker run` makes it: services run, and the console says what cannot be done, once and without alarm."""
    container = make({**SERVICES, "sysctl.conf": SETTINGS}).run()
    container.wait_console("ready    speaker")
    check_console(container)
    said = container.console()
    for words in (
        r"cgroup   .*/init\.scope: Read-only file system; services of this container run without cgroups",
        r"mount    no tmpfs at /run: Operation not permitted; the directory serves as it is",
        r"kmsg     no right to the kernel log",
        r"sysctl   /proc/sys is read-only: this container has its host's settings",
        r"limits   the number of open files stays at 524288",
        r"container cannot share mounts below /: Operation not permitted; it goes on without",
    ):
        assert re.search(words, said), f"'{words}' is not in:\n{said}"
    assert not re.search(r"host name|interface|resolv|unmount", said), said
    information = container.info()
    assert (information["container"], information["cgroup2"], information["kmsg"]) == ("1", "0", "fifo")
    assert container.units()["speaker"].status == "mine"
    assert container.exec("/usr/bin/thole", "status", "web", "speaker").code == 0
    assert f"NODE_ADDRESS={ADDRESS}\n" in container.read("/run/thole/node.env")
    check_engines_files(container)
    check_idle(container, machine)
    check_stop(container)


def check_engines_files(container: Container) -> None:
    """Name and files are what the engine made; the node's own list has no name server that pods cannot reach."""
    assert container.exec("/usr/bin/actor", "show", "/proc/sys/kernel/hostname").stdout.strip() == HOST_NAME
    assert container.read("/etc/hosts") == container.machine.read(f"{container.folder}/hosts")
    assert "database" in container.read("/etc/hosts")
    assert f" {HOST_NAME}" not in container.read("/etc/hosts"), "the engine's line for the name is enough"
    assert "127.0.0.11" in container.read("/etc/resolv.conf")
    assert "127.0.0.11" not in container.read("/run/thole/resolv.conf")
    assert "hosts.new" not in container.machine.names(f"{container.root}/etc")


def check_idle(container: Container, machine: Machine) -> None:
    """PID 1 sleeps while nothing happens, though the machine around it does a good deal meanwhile."""
    pid = container.pid()
    before = switches(machine, pid)
    for _ in range(20):
        container.state()
    assert switches(machine, pid) == before


def switches(machine: Machine, pid: int) -> list[str]:
    """How often a process has slept or been put off."""
    return re.findall(r"^voluntary_ctxt_switches:\s*(\d+)$", machine.read(f"/proc/{pid}/status"), re.MULTILINE)


@case(0, "oci-privileged-container", only="vm")
def test_privileged(make: Make, machine: Machine) -> None:
    """As `docker run --privileged` makes it: PID 1 in /init.scope, services in cgroups with controllers."""
    secret = f"{PLACE}/secret"
    machine.write(secret, "a secret\n")
    volumes = {"/run/secrets/word": secret}
    container = make({**SERVICES, "sysctl.conf": SETTINGS}, privileged=True, volumes=volumes).run()
    container.wait_console("ready    speaker")
    check_console(container)
    web = container.units()["web"].pid
    assert (container.cgroup_of(1), container.cgroup_of(web)) == ("/init.scope", "/services/web")
    own = f"/sys/fs/cgroup/docker/{container.name}"
    assert machine.read(f"{own}/cgroup.procs") == ""
    for below in ("", "/services"):
        given = set(machine.read(f"{own}{below}/cgroup.subtree_control").split())
        assert {"cpu", "memory", "pids"} <= given, given
    assert machine.read(f"{own}/services/web/memory.max").strip() == str(64 << 20)
    information = container.info()
    assert (information["cgroup2"], information["kmsg"]) == ("1", "device")
    assert container.read("/run/secrets/word") == "a secret\n", "what the engine put below /run is hidden"
    # `docker exec` goes beside PID 1, as the container's own cgroup holds no process any more.
    assert container.exec("/usr/bin/actor", "show", "/proc/self/cgroup").stdout == "0::/init.scope\n"
    check_stop(container)


@case(0, "oci-container-as-podman-makes-it-for-an-init", only="vm")
def test_podman(make: Make, machine: Machine) -> None:
    """`podman run IMAGE /sbin/init`: cgroups without privileges, memory at /run and /tmp, SIGRTMIN+3 at the end."""
    container = make(SERVICES, own_cgroups=True, tmpfs=("/run", "/tmp")).run()
    container.wait_console("ready    speaker")
    check_console(container)
    assert not re.search("cgroup|mount ", container.console())
    web = container.units()["web"].pid
    assert (container.cgroup_of(1), container.cgroup_of(web)) == ("/init.scope", "/services/web")
    limit = f"/sys/fs/cgroup/docker/{container.name}/services/web/memory.max"
    assert machine.read(limit).strip() == str(64 << 20)
    container.kill(SIGNALS["SIGRTMIN+3"])
    assert container.wait_end(STOP_TIME) == 0


@case(0, "oci-unprivileged-container-refuses-steps-of-services", only="vm")
def test_refused_steps(make: Make, machine: Machine) -> None:
    """What a unit asks for and the container may not do fails that unit, which says the step; others run."""
    units = {
        "private": unit("sleep-forever", "private-tmp = yes", "restart = never"),
        "preferred": unit("sleep-forever", "nice = -5", "restart = never"),
    }
    container = make({**SERVICES, **units}).run()
    container.wait_console("ready    speaker")
    for name, step in {"private": "get a mount namespace of its own", "preferred": "set its priority"}.items():
        failed = container.wait_unit(name, "failed", lambda one: one.state == "failed")
        assert re.search(f"{step}: (Operation not permitted|Permission denied)", failed.reason), failed
    check_stop(container)


@case(0, "oci-container-with-its-hosts-cgroups", only="vm")
@pytest.mark.parametrize("privileged", [True, False])
def test_host_cgroups(make: Make, machine: Machine, privileged: bool) -> None:
    """--cgroupns=host: the host's own cgroups stay as they are, and what is in them lives on after the container."""
    before = set(machine.names("/sys/fs/cgroup"))
    agent = machine.unit("agent").pid
    container = make(SERVICES, privileged=privileged, host_cgroups=True).run()
    container.wait_console("ready    speaker")
    check_console(container)
    own = f"/docker/{container.name}" + ("/init.scope" if privileged else "")
    assert machine.read(f"/proc/{container.pid()}/cgroup") == f"0::{own}\n"
    assert machine.read("/proc/1/cgroup") == "0::/init.scope\n"
    check_stop(container)
    assert set(machine.names("/sys/fs/cgroup")) <= before | {"docker"}
    assert machine.unit("agent").pid == agent


@case(0, "oci-container-ends-by-its-engines-signals", only="vm")
def test_signals(make: Make, machine: Machine) -> None:
    """Each of the signals that engines send ends services in order, and the container with 0."""
    for name, number in SIGNALS.items():
        ended = "post-stop = /usr/bin/actor write-file /var/ended in-order"
        container = make({"slow": unit("slow-term 300", ended)}).run()
        container.wait_console("ready    slow")
        begun = time.monotonic()
        container.kill(number)
        assert container.wait_end(STOP_TIME) == 0, name
        print(f"{name}: {time.monotonic() - begun:.1f} s")
        assert machine.read(f"{container.root}/var/ended") == "in-order", name


@case(0, "oci-container-that-ignores-sigterm-ends-in-time", only="vm")
def test_deaf_service(make: Make, machine: Machine) -> None:
    """A service that does not hear SIGTERM, and children that it leaves, do not hold `docker stop` up."""
    units = {
        "deaf": unit("ignore-term", "stop-timeout = 500ms"),
        "leaver": unit("daemon - delete", "type = oneshot", "kill = process"),
    }
    for privileged in (False, True):
        container = make(units, privileged=privileged).run()
        container.wait_console("ready    deaf")
        container.wait_console("done     leaver")
        assert container.stop(STOP_TIME) == 0


@case(0, "oci-main-services-exit-code-is-the-containers", only="vm")
def test_main_service(make: Make, machine: Machine) -> None:
    """Exit status and 128 + signal; while it is restarted the container goes on."""
    chosen = {"THOLE_MAIN_SERVICE": "job"}
    expected = {"exit 0": 0, "exit 7": 7, "crash": 128 + signal.SIGSEGV}
    for part, code in expected.items():
        container = make({"job": unit(part, "restart = never"), "web": SERVICES["web"]}, environment=chosen).run()
        assert container.wait_end(STOP_TIME) == code, part
    container = make({"job": unit("sleep-forever", "restart = never")}, environment=chosen).run()
    container.wait_console("ready    job")
    assert container.stop() == 128 + signal.SIGTERM
    restarted = unit("sleep-forever", "restart = always", "restart-delay = 10ms")
    container = make({"job": restarted}, environment=chosen).run()
    container.wait_console("ready    job")
    first = container.units()["job"].pid
    assert container.exec("/usr/bin/actor", "signal", str(first), str(int(signal.SIGKILL))).code == 0
    container.wait_unit("job", "started again", lambda one: one.state == "ready" and one.pid != first)
    assert container.stop() == 128 + signal.SIGTERM


@case(0, "oci-run-one-is-an-init-for-one-program", only="vm")
def test_run_one(make: Make, machine: Machine) -> None:
    """`thole run-one -- CMD` as entry point: exit code, signals handed on, orphans reaped."""
    start = ("/usr/bin/thole", "run-one", "--")
    codes = {("exit", "7"): 7, ("exit", "0"): 0, ("crash",): 128 + signal.SIGSEGV}
    for part, code in codes.items():
        assert make(command=(*start, "actor", *part)).run().wait_end() == code, part
    assert make(command=(*start, "/no/such/program")).run().wait_end() == 127
    assert make(command=(*start, "/etc/passwd")).run().wait_end() == 126

    container = make(command=(*start, "actor", "say", "here")).run()
    container.wait_console("here")
    assert container.exec("/usr/bin/actor", "orphans", "200").code == 0
    machine.until("no zombie is left", lambda: "0" == container.exec("/usr/bin/actor", "count-zombies").stdout.strip())
    assert container.stop() == 128 + signal.SIGTERM

    container = make(command=(*start, "actor", "report-signal", str(int(signal.SIGHUP)))).run()
    container.wait_console("waiting")
    container.kill(signal.SIGHUP)
    container.wait_console("got it")
    assert container.wait_end() == 0


@case(0, "oci-container-whose-seccomp-profile-knows-no-clone3", only="vm")
@pytest.mark.parametrize("error", ["ENOSYS", "EPERM"])
def test_clone3_refused(make: Make, machine: Machine, error: str) -> None:
    """Engines of before 2021 refuse clone3, with one error or the other."""
    for privileged in (False, True):
        container = make(SERVICES, refused=error, privileged=privileged).run()
        container.wait_console("ready    speaker")
        check_console(container)
        if privileged:
            assert container.cgroup_of(container.units()["web"].pid) == "/services/web"
        check_stop(container)


@case(0, "oci-container-with-a-terminal", only="vm")
def test_terminal(make: Make, machine: Machine) -> None:
    """`docker run -t --tmpfs /run --tmpfs /tmp`: PID 1 speaks on /dev/console, which is the terminal."""
    container = make(SERVICES, terminal=True, tmpfs=("/run", "/tmp")).run()
    container.wait_console("ready    speaker")
    assert "mount " not in container.console()
    check_console(container)
    container.kill(signal.SIGTERM)
    container.wait_console("bye")
    machine.until("it has ended", lambda: container.state()["status"] == "stopped")


@case(0, "oci-container-is-started-again", only="vm")
def test_restart(make: Make, machine: Machine) -> None:
    """`docker restart`: what the first run left in the container's files is no obstacle, and it is the same node."""
    container = make(SERVICES).run()
    container.wait_console("ready    speaker")
    identity = container.read("/etc/machine-id")
    container.kill(signal.SIGKILL)
    assert container.wait_end() == 128 + signal.SIGKILL
    container.run()
    container.wait_console("ready    speaker")
    check_console(container)
    assert container.read("/etc/machine-id") == identity
    check_stop(container)


@case(0, "oci-container-that-cannot-run-says-why", only="vm")
def test_mistake(make: Make, machine: Machine) -> None:
    """A mistake in its configuration ends the container with 1, and the reason is in its log."""
    container = make(SERVICES, environment={"THOLE_NODE_NAMEE": "wrong"}).run()
    assert container.wait_end(STOP_TIME) == 1
    said = " ".join(re.sub(r"\|\n\[[ .\d]+\] \|", " ", container.console()).split())
    assert "THIS CONTAINER CANNOT RUN" in said
    assert "unknown variable THOLE_NODE_NAMEE; did you mean THOLE_NODE_NAME?" in said
    assert "ctrl-alt-del" not in said


@case(0, "oci-container-does-not-take-its-hosts-watchdog", only="vm")
def test_watchdog(make: Make, machine: Machine) -> None:
    """node.watchdog is for machines: a container that opened the device would reset its host when it ends."""
    container = make(SERVICES, privileged=True, environment={"THOLE_NODE_WATCHDOG": "10s"}).run()
    container.wait_console("ready    speaker")
    assert "watchdog the device is the host's" in container.console()
    opened = container.exec("/usr/bin/actor", "list", "/proc/1/fd").stdout
    assert "watchdog" not in opened
    check_stop(container)
