"""The guest agent: commands and files of a node, without a network and without a login.

The protocol is that of QEMU's guest agent on a virtio-serial port. The guest may start it late: what is sent
before waits in the socket, so `wait` only has to ask again now and then.
"""

from __future__ import annotations

import base64
import itertools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from driver.errors import TholeError
from qemu.channel import Channel, ChannelTimeout

READ_SIZE = 1 << 20
FIRST_POLL, LAST_POLL = 0.02, 0.25
# What is under way at once has to fit into a page: of more, QEMU 7.2's serial port keeps the rest until the host
# sends again.
BATCH = 16


class AgentError(TholeError):
    """The agent refused a request, or a command in the guest did not do what it should."""


class Completed(NamedTuple):
    """What a command in the guest left: exit status (128 + signal when a signal ended it) and its output."""

    status: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        """Both outputs, for messages."""
        return (self.stdout + self.stderr).strip()


class Agent:
    """A connection to the guest agent of one VM."""

    def __init__(
        self, channel: Channel, alive: Callable[[], bool] = lambda: True, ask_again: float = 5
    ) -> None:
        self._channel = channel
        self._pause = ask_again
        self._alive = alive
        self._ids = itertools.count(int(time.time()) % 1_000_000 * 1000)

    @classmethod
    def connect(cls, path: Path, alive: Callable[[], bool]) -> Agent:
        """Connect to QEMU's side of the channel; the guest's side may come later, see `wait`."""
        return cls(Channel.connect("guest agent", path, 30, alive), alive)

    def wait(self, timeout: float) -> None:
        """Until the agent in the guest answers."""
        limit = time.monotonic() + timeout
        newest = 0
        ask_again = 0.0
        while True:
            now = time.monotonic()
            if now > limit:
                raise AgentError(
                    f"the guest agent did not answer within {timeout:.0f} s",
                    "look at the console: the service guest-agent failed, or the node never came that far",
                )
            if not self._alive():
                raise AgentError("the VM ended before its guest agent answered")
            if now > ask_again:
                newest = identity = next(self._ids)
                self._channel.send(
                    {"execute": "guest-sync-delimited", "arguments": {"id": identity}}, prefix=b"\xff\n"
                )
                ask_again = now + self._pause
            try:
                # Every question is answered some time: only after the newest one's answer comes no other.
                if self._channel.receive(min(0.25, max(limit - now, 0))).get("return") == newest:
                    return
                ask_again = now + self._pause
            except ChannelTimeout:
                continue

    def command(self, name: str, timeout: float = 30, **arguments: Any) -> Any:
        """One request of the agent's protocol."""
        self._channel.send(request(name, arguments))
        return unwrap(name, self._receive(name, timeout))

    def batch(
        self, name: str, arguments: Sequence[dict[str, Any]], timeout: float = 60
    ) -> list[dict[str, Any]]:
        """The raw answers to the same request with many arguments, sent ahead of the answers."""
        limit = time.monotonic() + timeout
        answers = []
        for start in range(0, len(arguments), BATCH):
            part = arguments[start : start + BATCH]
            for one in part:
                self._channel.send(request(name, one))
            for _ in part:
                answers.append(self._receive(name, max(limit - time.monotonic(), 0.1)))
        return answers

    def ping(self, timeout: float = 10) -> None:
        """Ask whether it is there."""
        self.command("guest-ping", timeout)

    def execute(
        self,
        argv: Sequence[str],
        timeout: float = 60,
        stdin: bytes | None = None,
        environment: Sequence[str] = (),
        capture: bool = True,
    ) -> Completed:
        """Run a program in the guest (a path, or a name on the agent's PATH; no shell) and wait for it. Not to capture its
        output is for one that leaves others behind: the agent waits for all who hold the pipes.
        """
        arguments: dict[str, Any] = {"path": argv[0], "arg": list(argv[1:]), "capture-output": capture}
        if stdin is not None:
            arguments["input-data"] = base64.b64encode(stdin).decode()
        if environment:
            arguments["env"] = list(environment)
        pid = self.command("guest-exec", **arguments)["pid"]
        limit = time.monotonic() + timeout
        pause = FIRST_POLL
        while True:
            state = self.command("guest-exec-status", pid=pid)
            if state["exited"]:
                break
            if time.monotonic() > limit:
                raise AgentError(
                    f"`{' '.join(argv)}` still runs in the guest after {timeout:.0f} s (pid {pid})"
                )
            time.sleep(pause)
            pause = min(pause * 1.5, LAST_POLL)
        status = state["exitcode"] if "exitcode" in state else 128 + state.get("signal", 0)
        return Completed(status, text_of(state.get("out-data")), text_of(state.get("err-data")))

    def check_output(self, argv: Sequence[str], timeout: float = 60) -> str:
        """The standard output of a program that must end with 0."""
        done = self.execute(argv, timeout)
        if done.status != 0:
            raise AgentError(f"`{' '.join(argv)}` in the guest ended with {done.status}: {done.output}")
        return done.stdout

    def read_file(self, path: str, limit: int = 64 << 20) -> bytes:
        """The content of a file of the guest, also of /proc and /sys."""
        handle = self.command("guest-file-open", path=path, mode="r")
        try:
            content = b""
            while len(content) < limit:
                part = self.command(
                    "guest-file-read", handle=handle, count=min(READ_SIZE, limit - len(content))
                )
                content += base64.b64decode(part["buf-b64"])
                if part["eof"] or not part["count"]:
                    break
            return content
        finally:
            self.command("guest-file-close", handle=handle)

    def read_start(self, path: str, count: int) -> bytes:
        """The first bytes of a file by one read, for devices that never come to an end."""
        handle = self.command("guest-file-open", path=path, mode="r")
        try:
            return base64.b64decode(self.command("guest-file-read", handle=handle, count=count)["buf-b64"])
        finally:
            self.command("guest-file-close", handle=handle)

    def read_many(self, paths: Sequence[str]) -> dict[str, str]:
        """The first lines of many small files; those that are not there are left out."""
        opened = self.batch("guest-file-open", [{"path": path, "mode": "r"} for path in paths])
        answers = zip(paths, opened, strict=True)
        handles = {path: answer["return"] for path, answer in answers if "return" in answer}
        read = self.batch(
            "guest-file-read", [{"handle": handle, "count": 4096} for handle in handles.values()]
        )
        self.batch("guest-file-close", [{"handle": handle} for handle in handles.values()])
        return {
            path: text_of(answer["return"]["buf-b64"])
            for path, answer in zip(handles, read, strict=True)
            if "return" in answer
        }

    def read_text(self, path: str) -> str:
        """The content of a text file of the guest."""
        return self.read_file(path).decode(errors="replace")

    def write_file(self, path: str, content: bytes, mode: str = "w") -> None:
        """Write a file of the guest, for instance one of a cgroup."""
        handle = self.command("guest-file-open", path=path, mode=mode)
        try:
            self.command(
                "guest-file-write", **{"handle": handle, "buf-b64": base64.b64encode(content).decode()}
            )
            self.command("guest-file-flush", handle=handle)
        finally:
            self.command("guest-file-close", handle=handle)

    def exists(self, path: str) -> bool:
        """Whether a file of the guest can be opened for reading."""
        try:
            handle = self.command("guest-file-open", path=path, mode="r")
        except AgentError:
            return False
        self.command("guest-file-close", handle=handle)
        return True

    def send(self, name: str, **arguments: Any) -> None:
        """A request whose answer nobody waits for, because the guest may be gone before it comes."""
        self._channel.send(request(name, arguments))

    def close(self) -> None:
        """Close this side; the agent in the guest goes on."""
        self._channel.close()

    def _receive(self, name: str, timeout: float) -> dict[str, Any]:
        try:
            return self._channel.receive(timeout)
        except ChannelTimeout:
            raise AgentError(f"the guest agent gave no answer to {name} within {timeout:.0f} s") from None


def request(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """A request in the agent's protocol."""
    return {"execute": name, "arguments": arguments} if arguments else {"execute": name}


def unwrap(name: str, answer: dict[str, Any]) -> Any:
    """The return value of an answer; AgentError where it carries an error."""
    if "error" in answer:
        raise AgentError(f"the guest agent refused {name}: {answer['error'].get('desc', answer['error'])}")
    return answer.get("return")


def text_of(data: str | None) -> str:
    """Captured output, which the agent sends in base64."""
    return base64.b64decode(data).decode(errors="replace") if data else ""
