"""A configuration that clouds, virtual machines' managers and boot servers bring: seed, SMBIOS, a URL."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from vm.tools import halt_message, throwaway

from qemu.artifacts import Artifacts
from qemu.node import Node
from qemu.vm import Vm, escape

RUNNING = 300.0
SECRET = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA="
SHOW = ("/usr/bin/thole", "config", "show")
pytestmark = pytest.mark.long


def seed(folder: Path, user_data: str, meta_data: str) -> list[str]:
    """QEMU's arguments for a NoCloud seed."""
    folder.mkdir()
    (folder / "user-data").write_text(user_data)
    (folder / "meta-data").write_text(meta_data)
    return [
        "-blockdev", f"driver=vvfat,node-name=seed,read-only=on,label=CIDATA,dir={escape(folder)}",
        "-device", "virtio-blk-pci,drive=seed,serial=seed",
    ]  # fmt: skip


def oem_strings(*texts: str) -> list[str]:
    """QEMU's arguments for strings in the machine's tables."""
    return [word for text in texts for word in ("-smbios", f"type=11,value={text}")]


def start(artifacts: Artifacts, folder: Path, watched: list[Vm], **more) -> Node:
    """A node that runs."""
    vm = Vm(throwaway(artifacts, folder / "vm", name="delivery", **more))
    watched.append(vm)
    node = Node(vm.start())
    node.wait_running(RUNNING)
    return node


def test_seed_smbios_and_command_line(artifacts: Artifacts, tmp_path: Path, watched: list[Vm]) -> None:
    """Each sets what the stronger ones leave, and a secret by SMBIOS is shown to nobody."""
    user_data = "# from the cloud\n[node]\nroles = by-seed\n[time]\nservers = 10.0.2.2\n"
    extra = [
        *seed(tmp_path / "seed", user_data, "instance-id: i-1\nlocal-hostname: by-seed.example.org\n"),
        *oem_strings("thole.node.roles=by-smbios", "thole.mesh.cluster=c", f"thole.mesh.secret={SECRET}"),
    ]
    line = "thole.kubernetes.enabled=no thole.network.address=none"
    node = start(artifacts, tmp_path, watched, extra=extra, command_line=line)
    assert node.name == "by-seed"
    shown = node.agent.check_output(SHOW)
    assert "node.roles = by-smbios   # the machine's OEM strings (SMBIOS)" in shown
    assert "time.servers = 10.0.2.2   # the seed's user-data:5" in shown
    assert "node.name = by-seed   # the seed's meta-data:2" in shown
    assert SECRET not in shown and "mesh.secret = (secret)" in shown
    assert SECRET not in node.vm.console.text()
    node.poweroff()


def test_a_seed_for_cloud_init_names_the_node(artifacts: Artifacts, tmp_path: Path, watched: list[Vm]) -> None:
    """Its user-data is not ours: the console says so, and the node goes on."""
    extra = seed(tmp_path / "seed", "#cloud-config\nusers: []\n", "local-hostname: vm7\n")
    line = "thole.kubernetes.enabled=no thole.network.address=none"
    node = start(artifacts, tmp_path, watched, extra=extra, command_line=line)
    assert node.name == "vm7"
    assert "no node.ini in the user-data of the seed /dev/vd" in node.vm.console.text()
    node.poweroff()


class Served(http.server.BaseHTTPRequestHandler):
    """One node.ini."""

    text = b"[node]\nname = by-url\n[kubernetes]\nenabled = no\n"

    def do_GET(self) -> None:  # noqa: N802 - the library's name
        """Whatever the path is, but not /missing."""
        self.send_response(404 if self.path == "/missing" else 200)
        self.end_headers()
        self.wfile.write(self.text)

    def log_message(self, *_: object) -> None:
        """Not a word."""


@pytest.fixture
def web() -> Iterator[str]:
    """A server on loopback, which guests reach at QEMU's address for its host."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Served) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://10.0.2.2:{server.server_address[1]}"
        server.shutdown()


def test_a_url(artifacts: Artifacts, tmp_path: Path, watched: list[Vm], web: str) -> None:
    """By DHCP, before anything else of the node: its sum is right, so it is taken."""
    total = hashlib.sha256(Served.text).hexdigest()
    node = start(
        artifacts, tmp_path, watched, command_line=f"thole-config-url={web}/n1.ini thole-config-sha256={total}"
    )
    assert node.name == "by-url"
    assert "node.name = by-url   # the URL's node.ini:2" in node.agent.check_output(SHOW)
    mounts = node.agent.read_text("/proc/mounts")
    assert "/dev/vdb /var " in mounts and "tmpfs /var " not in mounts, mounts
    node.poweroff()


@pytest.mark.parametrize(("path", "total", "said"), [
    ("/n1.ini", "0" * 64, "and the kernel's command line wants 0000"),
    ("/missing", "0" * 64, "answers HTTP/1.0 404"),
    ("/n1.ini", "12", "has to have both"),
])  # fmt: skip
def test_a_url_that_is_not_right(
    artifacts: Artifacts, tmp_path: Path, watched: list[Vm], web: str, path: str, total: str, said: str
) -> None:
    """The node halts and says why; its disk stays blank."""
    line = f"thole-config-url={web}{path} thole-config-sha256={total}"
    config = throwaway(artifacts, tmp_path / "vm", name="delivery", command_line=line)
    vm = Vm(config)
    watched.append(vm)
    vm.start()
    assert said in halt_message(vm, RUNNING)
    assert not any(config.data.read_bytes()[: 1 << 20])
