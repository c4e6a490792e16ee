"""The test's side of the actor's agent: commands, files and signals in a test machine over one stream."""

from __future__ import annotations

import os
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

HEAD = struct.Struct("=IIB")
SIZE = struct.Struct("=I")


class AgentGone(Exception):
    """The stream has ended: the agent or the whole machine is no more."""


class Completed(NamedTuple):
    """What a command left: exit status (128 + signal when one ended it) and its output."""

    code: int
    stdout: str
    stderr: str


class Command:
    """A command that runs in the machine; its output comes while it runs."""

    def __init__(self, agent: Agent, identity: int, text: str) -> None:
        self.text = text
        self._agent = agent
        self._identity = identity
        self.output = b""
        self.errors = b""
        self.status: int | None = None

    @property
    def stdout(self) -> str:
        """Standard output so far."""
        return self.output.decode(errors="replace")

    def wait(self, timeout: float) -> Completed:
        """Until it ends."""
        self._agent.wait_for(lambda: self.status is not None, timeout, f"`{self.text}` still runs")
        assert self.status is not None
        return Completed(self.status, self.stdout, self.errors.decode(errors="replace"))

    def wait_output(self, text: str, timeout: float = 30) -> None:
        """Until it has said `text`."""

        def said() -> bool:
            assert self.status is None or text in self.stdout, (
                f"`{self.text}` ended with {self.status} and never said '{text}': {self.stdout}{self.errors!r}"
            )
            return text in self.stdout

        self._agent.wait_for(said, timeout, f"`{self.text}` did not say '{text}'")

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send it a signal."""
        self._agent.send(self._identity, "k", struct.pack("=i", number))


class Agent:
    """One connected agent."""

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._changed = threading.Condition()
        self._commands: dict[int, Command] = {}
        self._next = 1
        self.hello = False
        self.gone = False
        self._thread = threading.Thread(target=self._receive, daemon=True)
        self._thread.start()

    def run(self, *argv: str, timeout: float = 60) -> Completed:
        """Run a program and wait for its end."""
        return self.begin(*argv).wait(timeout)

    def begin(self, *argv: str) -> Command:
        """Start a program (no shell)."""
        return self._ask("r", b"".join(os.fsencode(word) + b"\0" for word in argv), " ".join(argv))

    def write(self, path: str, content: str, mode: int = 0o644) -> None:
        """Write a file, with the folders it needs; a file of /proc or of a cgroup by one write."""
        self._file(self._ask_write(path, content, mode), path)

    def write_many(self, files: Mapping[str, str]) -> None:
        """Write many files, all of them sent ahead of the first answer."""
        asked = {path: self._ask_write(path, content, 0o644) for path, content in files.items()}
        for path, command in asked.items():
            self._file(command, path)

    def read(self, path: str) -> str:
        """The content of a file."""
        command = self._ask("g", os.fsencode(path), f"read {path}")
        self._file(command, path)
        return command.stdout

    def signal(self, pid: int, number: int) -> None:
        """Send a signal to any process of the machine."""
        command = self._ask("s", struct.pack("=ii", pid, number), f"kill {pid}")
        self._file(command, f"pid {pid}")

    def wait_for(self, holds: Callable[[], bool], timeout: float, why: str) -> None:
        """Until something that arrives here makes `holds` true."""
        limit = time.monotonic() + timeout
        with self._changed:
            while not holds():
                if self.gone:
                    raise AgentGone(f"the machine's agent has gone; {why}")
                left = limit - time.monotonic()
                assert left > 0, f"{why} after {timeout:.0f} s"
                self._changed.wait(left)

    def wait_change(self, timeout: float) -> None:
        """Until anything at all arrives, or the time is over."""
        with self._changed:
            self._changed.wait(timeout)

    def ask(self, request: str) -> Command:
        """One request to PID 1's control socket; its answer comes as output."""
        return self._ask("q", request.encode() + b"\n", f"ask {request}")

    def zombies(self) -> list[str]:
        """What PID 1 has not reaped: pid and name each."""
        return self._ask("z", b"", "zombies").wait(60).stdout.splitlines()

    def send(self, identity: int, kind: str, payload: bytes) -> None:
        """One frame."""
        frame = HEAD.pack(HEAD.size - SIZE.size + len(payload), identity, ord(kind)) + payload
        try:
            with self._lock:
                self._stream.sendall(frame)
        except OSError as error:
            raise AgentGone("the machine's agent has gone") from error

    def close(self) -> None:
        """Let go of the stream, which ends the agent."""
        try:
            self._stream.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._thread.join(5)
        self._stream.close()

    def _ask(self, kind: str, payload: bytes, text: str) -> Command:
        with self._changed:
            identity = self._next
            self._next += 1
            command = self._commands[identity] = Command(self, identity, text)
        self.send(identity, kind, payload)
        return command

    def _ask_write(self, path: str, content: str, mode: int) -> Command:
        payload = os.fsencode(path) + b"\0" + struct.pack("=I", mode) + content.encode()
        return self._ask("w", payload, f"write {path}")

    def _file(self, command: Command, subject: str) -> None:
        done = command.wait(30)
        if done.code < 0:
            raise OSError(-done.code, os.strerror(-done.code), subject)

    def _receive(self) -> None:
        buffer = bytearray()
        while True:
            try:
                data = self._stream.recv(1 << 16)
            except OSError:
                data = b""
            if not data:
                with self._changed:
                    self.gone = True
                    self._changed.notify_all()
                return
            buffer += data
            while len(buffer) >= HEAD.size:
                (size,) = SIZE.unpack_from(buffer)
                if len(buffer) < SIZE.size + size:
                    break
                _, identity, kind = HEAD.unpack_from(buffer)
                self._take(identity, chr(kind), bytes(buffer[HEAD.size : SIZE.size + size]))
                del buffer[: SIZE.size + size]

    def _take(self, identity: int, kind: str, payload: bytes) -> None:
        with self._changed:
            command = self._commands.get(identity)
            if kind == "h":
                self.hello = True
            elif command and kind == "o":
                command.output += payload
            elif command and kind == "e":
                command.errors += payload
            elif command and kind == "x":
                (command.status,) = struct.unpack("=i", payload)
                del self._commands[identity]
            self._changed.notify_all()
