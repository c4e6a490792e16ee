"""Console, monitor and guest agent against partners that misbehave."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from qemu.agent import Agent, AgentError
from qemu.channel import Channel, ChannelClosed, ChannelTimeout, decode
from qemu.console import Console, ConsoleError, clean, find_trouble
from qemu.node import for_this_machine
from qemu.qmp import Qmp, QmpError
from qemu.terminal import HELP, LEAVE, Keys


@pytest.fixture
def pair() -> Iterator[tuple[Channel, socket.socket]]:
    """Our end of a channel, and the bare socket of the other side."""
    ours, theirs = socket.socketpair()
    yield Channel("test", ours), theirs
    ours.close()
    theirs.close()


def answering(theirs: socket.socket, answer: Callable[[dict[str, Any]], bytes]) -> None:
    """Answer every request line in a thread until the socket is closed."""

    def serve() -> None:
        with theirs.makefile("rb") as lines:
            for line in lines:
                request = decode(line)
                if request:
                    theirs.sendall(answer(request))

    threading.Thread(target=serve, daemon=True).start()


def test_messages_come_whole_whatever_the_pieces(pair: tuple[Channel, socket.socket]) -> None:
    channel, theirs = pair
    for byte in b'{"a": 1}\n{"b":':
        theirs.sendall(bytes([byte]))
    assert channel.receive(1) == {"a": 1}
    with pytest.raises(ChannelTimeout):
        channel.receive(0.05)
    theirs.sendall(b' "\xc3\xa4"}\n')
    assert channel.receive(1) == {"b": "ä"}
    theirs.close()
    with pytest.raises(ChannelClosed):
        channel.receive(1)


def test_sending_gives_up_where_nobody_reads(pair: tuple[Channel, socket.socket]) -> None:
    start = time.monotonic()
    with pytest.raises(ChannelTimeout):
        pair[0].send_bytes(bytes(64 << 20), timeout=0.2)
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"", None),
        (b"\xff", None),
        (b'junk\xff{"return": 1}', {"return": 1}),
        (b"[1]", None),
        (b'{"half":', None),
    ],
)
def test_lines(line: bytes, message: dict[str, Any] | None) -> None:
    assert decode(line) == message


def test_a_socket_that_never_comes_is_named(tmp_path: Path) -> None:
    with pytest.raises(ChannelTimeout, match="did not appear"):
        Channel.connect("QMP", tmp_path / "none", 0.05, lambda: True)
    with pytest.raises(ChannelClosed, match="QEMU ended"):
        Channel.connect("QMP", tmp_path / "none", 5, lambda: False)


def test_the_agent_finds_its_place_after_old_answers(pair: tuple[Channel, socket.socket]) -> None:
    channel, theirs = pair
    theirs.sendall(b'{"return": 4711}\n{"error": {"desc": "old"}}\n')
    answering(theirs, lambda request: b'\xff{"return": %d}\n' % request["arguments"]["id"])
    Agent(channel).wait(5)


def test_the_agent_says_when_nobody_answers(pair: tuple[Channel, socket.socket]) -> None:
    with pytest.raises(AgentError, match="did not answer within"):
        Agent(pair[0]).wait(0.1)
    with pytest.raises(AgentError, match="the VM ended"):
        Agent(pair[0], alive=lambda: False).wait(5)


def test_a_command_in_the_guest(pair: tuple[Channel, socket.socket]) -> None:
    polls = iter([False, False, True])

    def answer(request: dict[str, Any]) -> bytes:
        if request["execute"] == "guest-exec":
            assert request["arguments"]["path"] == "thole"
            return b'{"return": {"pid": 7}}\n'
        if not next(polls):
            return b'{"return": {"exited": false}}\n'
        output = base64.b64encode(b"ready\n").decode()
        return json.dumps({"return": {"exited": True, "exitcode": 3, "out-data": output}}).encode() + b"\n"

    answering(pair[1], answer)
    done = Agent(pair[0]).execute(["thole", "status"])
    assert done == (3, "ready\n", "")


def test_the_agents_refusal_is_an_error(pair: tuple[Channel, socket.socket]) -> None:
    answering(pair[1], lambda _: b'{"error": {"class": "GenericError", "desc": "no such file"}}\n')
    with pytest.raises(AgentError, match="refused guest-file-open: no such file"):
        Agent(pair[0]).read_file("/nothing")
    assert not Agent(pair[0]).exists("/nothing")


def test_the_monitor_keeps_events_for_later(pair: tuple[Channel, socket.socket]) -> None:
    answering(pair[1], lambda _: b'{"event": "RESET"}\n{"return": {"status": "running"}}\n')
    qmp = Qmp(pair[0])
    assert qmp.status() == "running"
    assert qmp.wait_event("RESET", timeout=1) == {"event": "RESET"}
    with pytest.raises(ChannelTimeout, match="no event SHUTDOWN"):
        qmp.wait_event("SHUTDOWN", timeout=0.05)


def test_an_event_may_come_before_the_monitors_greeting(pair: tuple[Channel, socket.socket]) -> None:
    pair[1].sendall(b'{"event": "RESUME"}\n{"QMP": {}}\n{"return": {}}\n')
    qmp = Qmp(pair[0])
    qmp.negotiate(1)
    assert qmp.wait_event("RESUME", timeout=1) == {"event": "RESUME"}


def test_what_is_no_monitor_is_refused(pair: tuple[Channel, socket.socket]) -> None:
    pair[1].sendall(b'{"return": {}}\n')
    with pytest.raises(QmpError, match="no QEMU monitor"):
        Qmp(pair[0]).negotiate(1)


def test_the_monitors_refusal_is_an_error(pair: tuple[Channel, socket.socket]) -> None:
    answering(pair[1], lambda _: b'{"error": {"desc": "unknown command"}}\n')
    with pytest.raises(QmpError, match="refused dance: unknown command"):
        Qmp(pair[0]).execute("dance")


def test_trouble_is_found_and_excused() -> None:
    text = "ok\n[ 1.0] EXT4-fs error (device vdb): bad\n[ 2.0] WARNING: CPU: 0\nWARNINGS are fine\n"
    assert len(find_trouble(text)) == 2
    assert find_trouble(text, allowed=["EXT4-fs error"]) == ["[ 2.0] WARNING: CPU: 0"]


def test_the_console_is_read_without_escapes(tmp_path: Path) -> None:
    console = Console(tmp_path / "console.log")
    assert console.text() == ""
    console.path.write_bytes(b"\x1bc\x1b[?7l\x1b[2J[ 1.2]\x1b[32m ready \x1b[0m kine\r\n")
    assert clean(console.path.read_bytes()) == "[ 1.2] ready  kine\n"
    assert console.wait_for(r"ready +kine", 1)
    with pytest.raises(ConsoleError, match="the VM ended"):
        console.wait_for("never", 5, alive=lambda: False)
    with pytest.raises(ConsoleError, match="did not say `never` within"):
        console.wait_for("never", 0.1)


@pytest.mark.parametrize(
    ("typed", "passed", "commands"),
    [
        (b"ls\r", b"ls\r", []),
        (b"\x01x", b"", [LEAVE]),
        (b"a\x01ab\x01\x01", b"a\x01b\x01", []),
        (b"\x01h\x01?", b"", [HELP, HELP]),
        (b"\x03", b"\x03", []),
    ],
)
def test_keys(typed: bytes, passed: bytes, commands: list[str]) -> None:
    assert Keys().feed(typed) == (passed, commands)
    keys = Keys()
    one_by_one = [keys.feed(bytes([key])) for key in typed]
    assert b"".join(part for part, _ in one_by_one) == passed
    assert [command for _, part in one_by_one for command in part] == commands


def test_a_kubeconfig_leads_through_the_forwarded_port() -> None:
    changed = for_this_machine(
        "clusters:\n- cluster:\n    server: https://10.0.2.15:6443\n  name: x\n", 40001
    )
    assert "    server: https://127.0.0.1:40001\n    tls-server-name: kubernetes\n" in changed


def test_the_agent_waits_for_its_newest_answer(pair: tuple[Channel, socket.socket]) -> None:
    """An agent that comes late answers several questions: none may be taken for that of a command."""
    channel, theirs = pair
    agent = Agent(channel, ask_again=0.1)

    def late() -> None:
        # Of the length of three questions, which stay in the socket.
        theirs.recv(200, socket.MSG_PEEK | socket.MSG_WAITALL)
        answering(theirs, answer)

    def answer(request: dict[str, Any]) -> bytes:
        if request["execute"] == "guest-ping":
            return b'{"return": {}}\n'
        return b'{"error": {"desc": "stray"}}\n\xff{"return": %d}\n' % request["arguments"]["id"]

    threading.Thread(target=late, daemon=True).start()
    agent.wait(5)
    agent.ping(1)
