"""The switch of a cluster: who hears what, whatever the pieces, and what it does to frames when it is asked to."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from driver.errors import TholeError
from qemu.cluster import capture, frames
from qemu.cluster.control import Client, Server, SwitchError
from qemu.cluster.flood import Flood
from qemu.cluster.frames import BROADCAST, ethernet, split, wrap
from qemu.cluster.port import QUEUE
from qemu.cluster.probe import Probe, datagrams
from qemu.cluster.switch import ADDRESSES, Switch

A, B, C = (frames.mac(f"52:54:00:00:00:0{number}") for number in (1, 2, 3))
TEST = 0x88B5  # Ethernet's type for experiments


class Bench:
    """A switch in this thread, with something plugged into each port."""

    def __init__(self, folder: Path) -> None:
        self.switch = Switch(folder)
        self.ends: dict[str, socket.socket] = {}

    def stream(self, name: str) -> socket.socket:
        """A port with a stream."""
        end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        end.connect(str(self.switch.add_port(name).path))
        return self._keep(name, end)

    def card(self, name: str) -> socket.socket:
        """A port as a VM has it."""
        port = self.switch.add_card(name)
        self.switch.expect(port)
        end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        end.bind(str(port.card))
        end.connect(str(port.path))
        port.attach()
        return self._keep(name, end)

    def run(self) -> None:
        """Until nothing is left to do."""
        for _ in range(20):
            self.switch.step(0)

    def heard(self, name: str) -> list[bytes]:
        """The frames that came to a port since the last time."""
        self.run()
        end, found = self.ends[name], []
        with contextlib.suppress(BlockingIOError):
            while data := end.recv(1 << 20):
                found += [data] if end.type == socket.SOCK_DGRAM else [bytes(frame) for frame in split(data)]
                self.run()
        return found

    def _keep(self, name: str, end: socket.socket) -> socket.socket:
        end.setblocking(False)
        self.ends[name] = end
        self.run()
        return end


@pytest.fixture
def bench() -> Iterator[Bench]:
    """An empty switch; its folder has a short path, as sockets need."""
    with tempfile.TemporaryDirectory(prefix="thole-net-") as folder:
        made = Bench(Path(folder))
        yield made
        made.switch.close()
        for end in made.ends.values():
            end.close()


def frame(to: bytes, source: bytes, text: bytes = b"text") -> bytes:
    return ethernet(to, source, TEST, text)


def test_it_floods_what_it_does_not_know_and_learns(bench: Bench) -> None:
    a, b, _ = bench.stream("a"), bench.card("b"), bench.stream("c")
    a.send(wrap(frame(B, A)))
    assert bench.heard("b") == bench.heard("c") == [frame(B, A)]
    b.send(frame(A, B, b"answer"))
    assert bench.heard("a") == [frame(A, B, b"answer")] and bench.heard("c") == []
    a.send(wrap(frame(B, A)))
    assert bench.heard("b") == [frame(B, A)] and bench.heard("c") == []
    b.send(frame(BROADCAST, B))
    assert bench.heard("a") == bench.heard("c") == [frame(BROADCAST, B)] and bench.heard("b") == []


def test_an_address_that_moves_is_followed(bench: Bench) -> None:
    a, b, c = bench.stream("a"), bench.stream("b"), bench.stream("c")
    a.send(wrap(frame(BROADCAST, A)))
    bench.run()
    b.send(wrap(frame(BROADCAST, A)))
    bench.run()
    for name in ("a", "b", "c"):
        bench.heard(name)
    c.send(wrap(frame(A, C)))
    assert bench.heard("b") == [frame(A, C)] and bench.heard("a") == []


def test_frames_come_whole_whatever_the_pieces(bench: Bench) -> None:
    a = bench.stream("a")
    bench.stream("b")
    sent = [frame(B, A, bytes([number]) * (number + 1)) for number in range(200)]
    stream = b"".join(map(wrap, sent))
    found = []
    for at in range(0, len(stream), 77):
        a.send(stream[at : at + 77])
        found += bench.heard("b")
    assert found == sent


def test_a_run_ends_where_the_addresses_change(bench: Bench) -> None:
    a = bench.stream("a")
    bench.stream("b").send(wrap(frame(A, B)))
    bench.stream("c").send(wrap(frame(A, C)))
    bench.run()
    a.send(b"".join(wrap(frame(to, A, text)) for to, text in ((B, b"1"), (B, b"2"), (C, b"3"), (B, b"4"))))
    bench.run()
    assert [one[14:] for one in bench.heard("b") if one[6:12] == A] == [b"1", b"2", b"4"]
    assert [one[14:] for one in bench.heard("c") if one[6:12] == A] == [b"3"]


@pytest.mark.parametrize("stream", [b"\0\0\0\5hello", b"\xff\xff\xff\xff" + b"x" * 100, bytes(40)])
def test_a_stream_that_is_no_frames_is_unplugged(bench: Bench, stream: bytes) -> None:
    a, b = bench.stream("a"), bench.stream("b")
    a.send(stream)
    bench.run()
    assert a.recv(1) == b"" and not bench.switch.ports["a"].connection
    b.send(wrap(frame(A, B)))
    bench.run()  # and the others go on


def test_a_slow_receiver_loses_frames_and_costs_bounded_memory(bench: Bench) -> None:
    a, b = bench.stream("a"), bench.card("b")
    b.send(frame(A, B))
    bench.heard("a")
    sent = 0
    for number in range(3000):
        with contextlib.suppress(BlockingIOError):
            a.send(wrap(frame(B, A, number.to_bytes(4, "big") * 350)))
            sent += 1
        bench.switch.step(0)
    port = bench.switch.ports["b"]
    assert 0 < port.dropped < sent and port.sent + port.dropped == sent
    assert port._queued <= QUEUE + 2000
    numbers = [int.from_bytes(one[14:18], "big") for one in bench.heard("b")]
    assert numbers == sorted(numbers) and len(numbers) == port.sent


def test_a_partition_parts_what_it_names_alone(bench: Bench) -> None:
    ends = {name: bench.stream(name) for name in "abc"}
    bench.switch.partition([["a"], ["b"]])
    ends["a"].send(wrap(frame(BROADCAST, A)))
    assert bench.heard("b") == [] and bench.heard("c") == [frame(BROADCAST, A)]
    ends["c"].send(wrap(frame(BROADCAST, C)))
    assert bench.heard("a") == bench.heard("b") == [frame(BROADCAST, C)]
    bench.switch.heal()
    ends["b"].send(wrap(frame(A, B)))
    assert bench.heard("a") == [frame(A, B)]
    assert bench.switch.cut == 1


def test_a_port_without_a_cable(bench: Bench) -> None:
    a, b = bench.stream("a"), bench.stream("b")
    bench.switch.ports["a"].plugged = False
    a.send(wrap(frame(BROADCAST, A)))
    b.send(wrap(frame(BROADCAST, B)))
    assert bench.heard("a") == bench.heard("b") == []


def test_announcements_can_be_kept_from_passing(bench: Bench) -> None:
    """Datagrams to all do not pass; questions for an address, and datagrams to one, do."""
    a, _ = bench.stream("a"), bench.stream("b")
    bench.switch.announcements = False
    datagram = frames.ipv4("10.0.0.1", "10.0.0.255", frames.UDP, frames.udp(1, 2, b"here I am"))
    question = ethernet(BROADCAST, A, frames.ARP, frames.arp(1, A, "10.0.0.1", bytes(6), "10.0.0.2"))
    to_one = ethernet(B, A, frames.IPV4, datagram)
    a.send(b"".join(map(wrap, (ethernet(BROADCAST, A, frames.IPV4, datagram), question, to_one))))
    assert bench.heard("b") == [question, to_one]


def test_loss_takes_its_share(bench: Bench) -> None:
    a, _ = bench.stream("a"), bench.stream("b")
    bench.switch.loss = 0.25
    got = 0
    for _ in range(100):
        a.send(b"".join(wrap(frame(B, A)) for _ in range(40)))
        got += len(bench.heard("b"))
    assert 2700 < got < 3300


def test_a_strangers_addresses_cost_bounded_memory(bench: Bench) -> None:
    a = bench.stream("a")
    for number in range(2 * ADDRESSES):
        a.send(wrap(frame(BROADCAST, b"\x02\0" + number.to_bytes(4, "big"))))
        bench.switch.step(0)
    bench.run()
    assert len(bench.switch._table) <= ADDRESSES


def test_a_vm_that_ends_and_comes_again(bench: Bench) -> None:
    a, b = bench.stream("a"), bench.card("b")
    b.close()
    a.send(wrap(frame(BROADCAST, A)) * 3)
    bench.run()
    assert bench.switch.ports["b"].dropped == 3
    port = bench.switch.ports["b"]
    bench.switch.expect(port)
    port.card.unlink()
    again = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    again.bind(str(port.card))
    port.attach()
    bench._keep("b", again)
    a.send(wrap(frame(BROADCAST, A)))
    assert bench.heard("b") == [frame(BROADCAST, A)]


def test_a_capture_has_every_frame_once(bench: Bench, tmp_path: Path) -> None:
    a, b, _ = bench.stream("a"), bench.card("b"), bench.stream("c")
    bench.switch.capture = capture.Writer(tmp_path / "all.pcap")
    bench.switch.partition([["a"], ["b"]])
    a.send(b"".join(wrap(frame(BROADCAST, A, text)) for text in (b"1", b"2")))
    bench.run()
    b.send(frame(A, B, b"3"))
    bench.run()
    bench.switch.capture.close()
    bench.switch.capture = None
    found = list(capture.read(tmp_path / "all.pcap"))
    assert [one.frame for one in found] == [frame(BROADCAST, A, b"1"), frame(BROADCAST, A, b"2"), frame(A, B, b"3")]
    with pytest.raises(TholeError, match="no pcap"):
        list(capture.read(Path(__file__)))


def test_a_flood_is_what_was_asked_for(bench: Bench) -> None:
    bench.card("b")
    flood = Flood([bench.switch.ports["b"]], [frame(B, C, b"flood")] * 100, rate=20_000, seconds=0.2)
    bench.switch.flood = flood
    found = 0
    while bench.switch.flood:
        bench.switch.step()
        found += len(bench.heard("b"))
    report = flood.report()
    assert report["over"] and 0.7 * 4000 <= report["offered"] <= 4100
    assert found + len(bench.heard("b")) == report["offered"] - report["dropped"]


def test_commands(bench: Bench) -> None:
    server = Server(bench.switch, bench.switch.folder / "control")
    bench.stream("a")
    answer = server.answer(b'{"command": "status"}')["return"]
    assert answer["ports"]["a"]["connected"] and answer["cut"] == 0
    for line, problem in (
        ({"command": "partition", "groups": [["a"], ["x"]]}, "no port 'x'"),
        ({"command": "add-port", "port": "a"}, "a port a already"),
        ({"command": "expect", "port": "a"}, "not for a VM"),
        ({"command": "loss", "share": 2}, "not between"),
        ({"command": "nonsense"}, "no command nonsense"),
        ({"command": "flood", "ports": ["a"], "frames": [], "rate": 1, "seconds": 1}, "needs frames"),
        ({"command": "heal", "more": 1}, "unexpected"),
    ):
        assert problem in server.answer(json.dumps(line).encode())["error"], line
    assert "error" in server.answer(b"no json")
    assert bench.switch.ports["a"].group is None, "half of a refused partition is in force"


@contextlib.contextmanager
def served(switch: Switch) -> Iterator[Client]:
    """The switch in a thread, and a client."""
    server = Server(switch, switch.folder / "control")

    def serve() -> None:
        while not server.stopped:
            switch.step(0.1)

    thread = threading.Thread(target=serve)
    thread.start()
    client = Client(switch.folder / "control", lambda: True)
    yield client
    client.command("stop")
    client.close()
    thread.join()


def test_probes_find_and_ping_each_other(bench: Bench) -> None:
    with served(bench.switch) as client:
        paths = [Path(client.command("add-port", port=name)) for name in "ab"]
        with Probe("a", paths[0], A, "10.0.0.1") as one, Probe("b", paths[1], B, "10.0.0.2") as other:
            answering = threading.Thread(target=lambda: list(other.packets(1.5)))
            answering.start()
            assert one.find("10.0.0.2") == B
            assert one.find("10.0.0.3", 0.3) is None
            answering.join()
            assert one.send_udp("10.0.0.2", 7, b"hello")
            packet = other.wait(lambda packet: packet.protocol == frames.UDP, 2)
            assert packet and (packet.to_port, packet.payload, packet.source) == (7, b"hello", "10.0.0.1")
        with pytest.raises(SwitchError, match="no port 'c'"):
            client.command("plug", port="c", plugged=False)
        flood = [base64.b64encode(one).decode() for one in datagrams("10.0.0.9", C, "10.0.0.1", A, 51872, 3, 256)]
        client.command("flood", ports=["a"], frames=flood, rate=1000, seconds=0.01)
        assert client.command("flood-report")["rate"] >= 0


def test_packets_are_taken_apart() -> None:
    whole = ethernet(B, A, frames.IPV4, frames.ipv4("10.0.0.1", "10.0.0.2", frames.UDP, frames.udp(1, 2, b"data")))
    packet = frames.parse(whole + bytes(20))  # as an Ethernet card pads it
    assert (packet.source, packet.to, packet.source_port, packet.to_port) == ("10.0.0.1", "10.0.0.2", 1, 2)
    assert packet.payload == b"data" and packet.describe() == "UDP 10.0.0.1 -> 10.0.0.2 1 -> 2, 4 bytes"
    assert frames.checksum(whole[14:34]) == 0
    report = bytes.fromhex("6000000000240001") + bytes(32) + bytes.fromhex("3a00050200000000") + b"\x8f" + bytes(27)
    assert frames.parse(ethernet(B, A, frames.IPV6, report)).protocol == frames.ICMPV6
    for length in range(14, len(whole)):
        frames.parse(whole[:length])
    assert frames.parse(ethernet(B, A, 0x88CC, b"")).describe().startswith("ethertype 0x88cc")
