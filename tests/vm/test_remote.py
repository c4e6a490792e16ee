"""`./thole -n NODE` against a real node: a cluster made on the host, its client, and what each role may do."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from vm.tools import throwaway

from qemu import host
from qemu.artifacts import CHECKOUT, Artifacts
from qemu.checks.survival import until
from qemu.node import Node
from qemu.vm import Vm

SECONDS = 120
PATIENCE = 60


class Cluster:
    """A cluster's folder, and a node of it in a VM whose port for this is forwarded."""

    def __init__(self, artifacts: Artifacts, folder: Path) -> None:
        self.folder = folder
        self.made = self.thole("config", "new", "harbour", "--folder", "harbour")
        self.thole("config", "join", "harbour", "--name", "n1")
        for role in ("read-only", "admin"):
            self.thole("config", "client", "harbour", role, "--role", role)
        ini = folder / "harbour" / "n1.ini"
        ini.write_text(ini.read_text() + "[remote]\noutside = yes\n[kubernetes]\nenabled = no\n")
        self.vm = Vm(throwaway(artifacts, folder / "vm", name="remote", node_config=ini))

    def start(self) -> None:
        """Boot, and forward a port of this machine."""
        self.vm.start()
        self.node = Node(self.vm)
        self.node.wait_agent()
        self.port = host.choose_port("auto")
        rule = f"hostfwd_add net tcp:127.0.0.1:{self.port}-:51874"
        self.vm.qmp.execute("human-monitor-command", **{"command-line": rule})
        until("the service answers", lambda: self.ask("admin", "version").returncode == 0, PATIENCE)

    def thole(self, *words: str) -> str:
        """./thole in the folder; it must succeed."""
        done = self._run(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ask(self, client: str, *words: str, node: str = "n1") -> subprocess.CompletedProcess[str]:
        """A command on a node as a client."""
        way = ("--client", f"harbour/{client}.client", "--endpoint", f"localhost:{self.port}")
        return self._run("-n", node, *way, *words)

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, CHECKOUT / "thole", *words],
            cwd=self.folder, capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip


@pytest.fixture
def cluster(artifacts: Artifacts, tmp_path: Path, watched: list[Vm]) -> Cluster:
    """One for each test."""
    made = Cluster(artifacts, tmp_path)
    watched.append(made.vm)
    made.start()
    return made


def test_from_the_host(cluster: Cluster) -> None:
    """Both roles, both outputs, exit statuses, and the log of it."""
    units = json.loads(cluster.ask("read-only", "status", "--json").stdout)
    assert {"remote", "time"} <= {unit["name"] for unit in units}
    assert "mesh.secret = (secret)" in cluster.ask("read-only", "config", "show").stdout
    assert cluster.ask("read-only", "show", "tiem").returncode == 4
    refused = cluster.ask("read-only", "restart", "guest-agent")
    assert refused.returncode == 1 and "needs the role admin" in refused.stderr
    before = cluster.node.agent.check_output(["/usr/bin/thole", "show", "--json", "remote"])
    assert cluster.ask("admin", "stop", "time").returncode == 0
    assert "nowhere" in cluster.ask("admin", "status", node="nowhere").stderr
    assert cluster.ask("admin", "lint", "/").returncode == 1
    log = cluster.node.agent.check_output(["/usr/bin/thole", "logs", "remote"])
    assert re.search(r"admin admin from 10\.0\.2\.2: stop time: exit status 0 after", log)
    assert "read-only read-only from 10.0.2.2: restart guest-agent: refused: " in log
    # Nothing of this ended or restarted the service.
    after = cluster.node.agent.check_output(["/usr/bin/thole", "show", "--json", "remote"])
    assert json.loads(before)["state"] == json.loads(after)["state"]


def test_power_off(cluster: Cluster) -> None:
    """The deed with which the connection ends too."""
    cluster.ask("admin", "poweroff")
    cluster.vm.wait_end(SECONDS)
