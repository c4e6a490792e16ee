"""What the host must give: ports, memory, sizes, and an accelerator that was tried."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from driver.errors import TholeError
from qemu import host
from qemu.host import MIB


@pytest.mark.parametrize(
    ("text", "size"),
    [("2G", 2 << 30), ("1536M", 1536 * MIB), ("512", 512 * MIB), ("2GiB", 2 << 30), ("64k", 65536)],
)
def test_sizes(text: str, size: int) -> None:
    assert host.parse_size(text) == size


@pytest.mark.parametrize("text", ["", "G", "-1G", "1.5G", "2X", "2G2"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(TholeError, match="is no size"):
        host.parse_size(text)


def test_a_free_port_is_taken_and_a_used_one_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(TholeError, match=rf"port {port} .*in use(.|\n)*--port auto"):
            host.choose_port(port)
    assert host.choose_port(str(port)) == port
    assert host.choose_port("auto") > 0


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http", ""])
def test_what_is_no_port(port: str) -> None:
    with pytest.raises(TholeError, match="is no port"):
        host.choose_port(port)


def test_memory_is_checked_both_ways() -> None:
    host.check_memory(2048 * MIB, 1024 * MIB, available=4096 * MIB)
    with pytest.raises(TholeError, match="512 MiB of memory are too little for a node: it needs 1024 MiB"):
        host.check_memory(512 * MIB, 1024 * MIB, available=4096 * MIB)
    with pytest.raises(TholeError, match="this machine has 2100 MiB of memory left"):
        host.check_memory(2048 * MIB, 1024 * MIB, available=2100 * MIB)


def test_available_memory_knows_control_groups(tmp_path: Path) -> None:
    proc, groups = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "self").mkdir(parents=True)
    (proc / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:    4194304 kB\n")
    (proc / "self/cgroup").write_text("0::/outer/inner\n")
    (groups / "outer/inner").mkdir(parents=True)
    assert host.available_memory(proc, groups) == 4 << 30
    (groups / "outer/inner/memory.max").write_text("max\n")
    (groups / "outer/memory.max").write_text(f"{3 << 30}\n")
    (groups / "outer/memory.current").write_text(f"{1 << 30}\n")
    assert host.available_memory(proc, groups) == 2 << 30


def test_the_trial_tells_whether_a_guest_runs() -> None:
    assert host.firmware_runs("tcg", "max")
    assert not host.firmware_runs("no-such-accelerator", "max")
