"""How other terminals talk to a running cluster: a unix socket in its folder, a line of JSON each way."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from driver.errors import TholeError
from qemu.channel import Channel, ChannelClosed

NAME = "control"
LAST_ANSWERS = 3.0
LONG = 24 * 3600.0  # seconds; commands have their own deadlines

Request = dict[str, Any]
Handler = Callable[[Request], Any]


class Door:
    """Serves requests, each connection in a thread of its own, while the cluster runs."""

    def __init__(self, folder: Path, handle: Handler) -> None:
        self._handle = handle
        self._folder = folder
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._answering = 0
        self._changed = threading.Condition()

    def __enter__(self) -> Door:
        (self._folder / NAME).unlink(missing_ok=True)
        with short_path(self._folder) as place:
            self._listener.bind(f"{place}/{NAME}")
        (self._folder / NAME).chmod(0o600)
        self._listener.listen(16)
        threading.Thread(target=self._accept, name="door", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        (self._folder / NAME).unlink(missing_ok=True)
        self._listener.close()
        with self._changed:  # who asked for the end is to hear that it came
            self._changed.wait_for(lambda: not self._answering, LAST_ANSWERS)

    def _accept(self) -> None:
        while True:
            try:
                connection = self._listener.accept()[0]
            except OSError:
                return  # closed
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines, contextlib.suppress(OSError):
            for line in lines:
                self._count(1)
                try:
                    connection.sendall(json.dumps(self._answer(line)).encode() + b"\n")
                finally:
                    self._count(-1)

    def _count(self, more: int) -> None:
        with self._changed:
            self._answering += more
            self._changed.notify_all()

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            return {"return": self._handle(json.loads(line))}
        except TholeError as error:
            return {"error": error.what, "remedy": error.remedy}
        except (OSError, ValueError, KeyError, TypeError) as error:
            return {"error": f"the command failed: {error!r}", "remedy": ""}


def ask(folder: Path, command: str, **arguments: Any) -> Any:
    """Have the cluster that runs from `folder` do something; TholeError says what it said."""
    connection = connect(folder)
    if not connection:
        name = folder.name
        option = "" if name == "cluster" else f" --name {name}"
        raise TholeError(f"no cluster `{name}` runs", f"./thole cluster{option} --nodes N starts one")
    channel = Channel("cluster", connection)
    try:
        channel.send({"command": command, **arguments})
        answer = channel.receive(LONG)
    except ChannelClosed as error:
        raise TholeError("the cluster ended before it answered") from error
    finally:
        channel.close()
    if "error" in answer:
        raise TholeError(answer["error"], answer.get("remedy", ""))
    return answer["return"]


def connect(folder: Path) -> socket.socket | None:
    """A connection to the cluster that runs from a folder; None when none does."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        with short_path(folder) as place:
            connection.connect(f"{place}/{NAME}")
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
        return None
    return connection


@contextlib.contextmanager
def short_path(folder: Path) -> Iterator[str]:
    """Another path of a folder, short enough for a socket's 107 bytes wherever the checkout is."""
    handle = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{handle}"
    finally:
        os.close(handle)
