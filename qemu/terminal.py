"""The node's console on a person's terminal: raw keys in, the console out, and a key to leave."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import sys
import termios
import threading
import tty
from collections.abc import Callable
from pathlib import Path

PREFIX = 0x01  # Ctrl-A
LEAVE, HELP = "leave", "help"
HELP_TEXT = """Ctrl-A x   power the node off and leave (once more: at once)
Ctrl-A h   this help
Ctrl-A a   send Ctrl-A to the node"""


class Keys:
    """Separates what is typed for the node from what is typed for us."""

    def __init__(self) -> None:
        self._prefixed = False

    def feed(self, data: bytes) -> tuple[bytes, list[str]]:
        """The bytes for the node and our commands."""
        passed = bytearray()
        commands = []
        for key in data:
            if not self._prefixed:
                self._prefixed = key == PREFIX
                if not self._prefixed:
                    passed.append(key)
                continue
            self._prefixed = False
            if key in (PREFIX, ord("a")):
                passed.append(PREFIX)
            elif key in b"xX":
                commands.append(LEAVE)
            else:
                commands.append(HELP)
        return bytes(passed), commands


class Terminal:
    """Joins a unix socket, which QEMU connects its console to, with our own terminal."""

    def __init__(self, path: Path, on_command: Callable[[str], None]) -> None:
        self._on_command = on_command
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._listener.bind(os.fspath(path))
        self._listener.listen(1)
        self._wake, self._woken = os.pipe()
        self._saved: list | None = None
        self._thread = threading.Thread(target=self._run, name="terminal", daemon=True)

    def __enter__(self) -> Terminal:
        self._saved = termios.tcgetattr(sys.stdin)
        tty.setraw(sys.stdin)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.write(self._woken, b"x")
        self._thread.join()
        self._listener.close()
        os.close(self._wake)
        os.close(self._woken)
        if self._saved:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._saved)

    def say(self, text: str) -> None:
        """Print lines of our own between the node's."""
        show(("\r\n" + text.rstrip("\n") + "\n").replace("\n", "\r\n").replace("\r\r", "\r").encode())

    def _run(self) -> None:
        console: socket.socket | None = None
        keys = Keys()
        stdin = sys.stdin.fileno()
        while True:
            ready = select.select([self._wake, stdin, console or self._listener], [], [])[0]
            if console in ready:
                data = receive(console)
                if not data:
                    return  # QEMU is gone
                show(data)
            if self._wake in ready:
                return
            if self._listener in ready:
                console = self._listener.accept()[0]
            if stdin in ready:
                passed, commands = keys.feed(os.read(stdin, 1024))
                if passed and console:
                    send(console, passed)
                for command in commands:
                    self._on_command(command)


def receive(console: socket.socket) -> bytes:
    """What the node printed; empty when QEMU is gone."""
    try:
        return console.recv(65536)
    except ConnectionResetError:
        return b""


def send(console: socket.socket, data: bytes) -> None:
    """Type on the node's console; keys that it does not take are lost, as on any serial line."""
    with contextlib.suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
        console.send(data, socket.MSG_DONTWAIT)


def show(data: bytes) -> None:
    """Write to the terminal, all of it."""
    while data:
        data = data[os.write(1, data) :]
