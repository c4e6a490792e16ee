"""A node between the outside and a pod, with the rules of the image's own binary, put in force by the image's own nft.

scene.py TREE: TREE has /sbin/init, /usr/sbin/nft and its libraries, and /usr/lib/thole/node.ini. Each line it prints is something
that was seen; the first that is not as it must be ends it.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

from network import Namespace, become_root, default_route, give, veth

PATIENCE = 10.0  # for what must come
SILENCE = 0.4  # for what must not
ALLOWED, OPEN_UDP, CLOSED, MAPPED = 6443, 8472, 7000, 8080
OTHER_TABLE = "table ip other { chain in { type nat hook prerouting priority dstnat; tcp dport 8080 dnat to 10.1.1.2:80; }; }"


class Scene:
    """Three network namespaces, and what runs in them."""

    def __init__(self, tree: Path) -> None:
        """The outside and a pod, both with a link to the node."""
        self.tree = tree
        self.outside, self.pod, self.node = Namespace(), Namespace(), Namespace()
        with self.node.inside():
            veth("eth0", "eth0", self.outside)
            veth("vethpod", "eth0", self.pod)
            give("eth0", "10.9.0.1/24")
            give("eth0", "fd00:9::1/64")
            give("vethpod", "10.1.1.1/24")
            Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        with self.outside.inside():
            give("eth0", "10.9.0.2/24")
            give("eth0", "fd00:9::2/64")
            default_route("10.9.0.1")
        with self.pod.inside():
            give("eth0", "10.1.1.2/24")
            default_route("10.1.1.1")

    def run(self, *argv: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        """A program of the image, in the node's namespace."""
        with self.node.inside():
            return subprocess.run(
                argv, preexec_fn=lambda: os.chroot(self.tree), cwd="/", input=text, capture_output=True, text=True,
                env={"PATH": "/usr/sbin:/usr/bin"}, check=False,
            )  # fmt: skip

    def nft(self, text: str) -> subprocess.CompletedProcess[str]:
        """Rules from a text."""
        return self.run("/usr/sbin/nft", "-f", "-", text=text)

    def listen(self, where: Namespace, port: int, kind: int = socket.SOCK_STREAM) -> socket.socket:
        """A server of both families."""
        with where.inside():
            server = socket.socket(socket.AF_INET6, kind)
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        server.bind(("::", port))
        if kind == socket.SOCK_STREAM:
            server.listen(16)
        return server

    def connects(self, where: Namespace, address: str, port: int, wait: float) -> bool:
        """Whether a connection comes about; a refusal is a word from the other side too, and an error here."""
        with where.inside():
            client = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        with client:
            client.settimeout(wait)
            try:
                client.connect((address, port))
            except TimeoutError:
                return False
            return True

    def hears(self, server: socket.socket, address: str, port: int, wait: float) -> bool:
        """Whether a datagram from outside arrives."""
        with self.outside.inside():
            client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            client.sendto(b"hello", (address, port))
            return bool(select.select([server], [], [], wait)[0]) and server.recv(64) == b"hello"


def see(holds: bool, what: str) -> None:
    """Say what was seen, or end."""
    if not holds:
        sys.exit(f"NOT SO: {what}")
    print(f"seen: {what}")


def check_ports(scene: Scene) -> None:
    """From outside only what node.ini allows; from pods all."""
    servers = [scene.listen(scene.node, port) for port in (ALLOWED, CLOSED)]
    see(scene.connects(scene.outside, "10.9.0.1", ALLOWED, PATIENCE), "the allowed port answers the outside")
    see(scene.connects(scene.outside, "fd00:9::1", ALLOWED, PATIENCE), "by IPv6 too, so neighbours are found")
    see(not scene.connects(scene.outside, "10.9.0.1", CLOSED, SILENCE), "another port does not")
    see(not scene.connects(scene.outside, "fd00:9::1", CLOSED, SILENCE), "nor by IPv6")
    see(scene.connects(scene.pod, "10.1.1.1", CLOSED, PATIENCE), "a pod reaches every port")
    see(scene.connects(scene.node, "10.9.0.1", CLOSED, PATIENCE), "the node reaches itself")
    for server in servers:
        server.close()


def check_datagrams(scene: Scene) -> None:
    """Allowed ports by broadcast as well."""
    opened = scene.listen(scene.node, OPEN_UDP, socket.SOCK_DGRAM)
    closed = scene.listen(scene.node, CLOSED, socket.SOCK_DGRAM)
    see(scene.hears(opened, "10.9.0.1", OPEN_UDP, PATIENCE), "an allowed datagram arrives")
    see(scene.hears(opened, "10.9.0.255", OPEN_UDP, PATIENCE), "by broadcast too")
    see(not scene.hears(closed, "10.9.0.1", CLOSED, SILENCE), "another does not")
    opened.close()
    closed.close()


def check_forwarding(scene: Scene) -> None:
    """Through the node: from pods, and to pods where a Service says so."""
    pod = scene.listen(scene.pod, 80)
    far = scene.listen(scene.outside, 80)
    see(scene.connects(scene.pod, "10.9.0.2", 80, PATIENCE), "a pod reaches the outside")
    see(not scene.connects(scene.outside, "10.1.1.2", 80, SILENCE), "the outside does not reach a pod's own address")
    see(not scene.connects(scene.outside, "10.9.0.1", MAPPED, SILENCE), "nor a port that no Service has")
    done = scene.nft(OTHER_TABLE)
    see(done.returncode == 0, f"somebody else's table is added {done.stderr}")
    see(scene.connects(scene.outside, "10.9.0.1", MAPPED, PATIENCE), "with a changed destination it reaches the pod")
    pod.close()
    far.close()


def check_ping(scene: Scene) -> None:
    """Answers, but not without end."""
    with scene.outside.inside():
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    for number in range(1000):
        body = struct.pack(">BBHHH", 8, 0, 0, 77, number)
        total = sum(struct.unpack(">4H", body))
        checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
        raw.sendto(body[:2] + struct.pack(">H", checksum) + body[4:], ("10.9.0.1", 0))
    answers = 0
    while select.select([raw], [], [], SILENCE)[0]:
        answers += raw.recv(2048)[20] == 0
    see(0 < answers < 1000, f"{answers} of 1000 pings at once are answered")


def check_exchange(scene: Scene, rules: str) -> None:
    """While rules take the place of rules, again and again, the closed port stays closed and the open one open.

    A table that is deleted and made again in one transaction does not pass: for a moment the new chain has no policy.
    """
    opened = scene.listen(scene.node, OPEN_UDP, socket.SOCK_DGRAM)
    closed = scene.listen(scene.node, CLOSED, socket.SOCK_DGRAM)
    with scene.outside.inside():
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    child = os.fork()
    if child == 0:
        codes = {scene.nft(rules).returncode for _ in range(100)}
        os._exit(0 if codes == {0} else 1)
    sent = heard = 0
    ended = (0, 0)
    while ended[0] == 0:
        client.sendto(b"closed", ("10.9.0.1", CLOSED))
        client.sendto(b"open", ("10.9.0.1", OPEN_UDP))
        sent += 1
        if not select.select([opened], [], [], PATIENCE)[0]:
            break
        heard += opened.recv(64) == b"open"
        ended = os.waitpid(child, os.WNOHANG)
    see(ended == (child, 0), "the rules were replaced 100 times")
    see(heard == sent, f"all of {sent} datagrams arrived meanwhile")
    see(not select.select([closed], [], [], SILENCE)[0], f"and none of {sent} at the closed port")
    opened.close()
    closed.close()


def check_mistakes(scene: Scene) -> None:
    """Rules that are wrong change nothing, and no other table ever does."""
    before = scene.run("/usr/sbin/nft", "-s", "list", "ruleset").stdout
    see("table ip other" in before and "table inet thole" in before, "both tables are in force")
    bad = scene.nft("table inet thole\ndelete table inet thole\ntable inet thole { chain input { tcp dport nonsense accept; }; }")
    see(bad.returncode != 0, "wrong rules are refused")
    see(scene.run("/usr/sbin/nft", "-s", "list", "ruleset").stdout == before, "and change nothing")
    see(scene.nft("table inet thole\ndelete table inet thole\n").returncode == 0, "the table can be taken away")
    after = scene.run("/usr/sbin/nft", "list", "ruleset").stdout
    see("table ip other" in after and "thole" not in after, "and the other is still there")


def main() -> None:
    """All of it."""
    tree = Path(sys.argv[1])
    become_root()
    start = time.monotonic()
    scene = Scene(tree)
    shown = scene.run("/sbin/init", "firewall", "show")
    see(shown.returncode == 0 and "policy drop" in shown.stdout, f"the image's binary makes rules {shown.stderr}")
    done = scene.nft(shown.stdout)
    see(done.returncode == 0, f"the image's nft takes them {done.stderr}")
    check_ports(scene)
    check_datagrams(scene)
    check_forwarding(scene)
    check_ping(scene)
    check_exchange(scene, shown.stdout)
    check_mistakes(scene)
    print(f"passed in {time.monotonic() - start:.1f} s")


if __name__ == "__main__":
    main()
