"""How a cluster stands, as a person sees it: the watcher that asks the nodes, and the table."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

from driver.errors import TholeError
from qemu.cluster import mesh
from qemu.cluster.cluster import BOOTING, UP, Cluster, Member

PAUSE = 1.0  # between looks
HALTED = "THIS NODE IS HALTED"  # on the console, in a box with the reason
PATIENCE = 0.5  # for the agent of a node that boots
ON_ITS_WAY = {"waiting", "preparing", "starting", "stopping", "finishing", "clearing", "delayed"}
HEAD = ("NODE", "ADDRESS", "VM", "FOR", "UNITS", "MESH")


class Watcher:
    """Asks every node now and then, in a thread of its own. Whoever wants to know reads `rows`."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.rows: dict[str, dict[str, Any]] = {}
        self._since: dict[str, tuple[str, float]] = {}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)

    def __enter__(self) -> Watcher:
        for member in self.cluster.nodes.values():
            self.rows[member.name] = self._row(member)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def look(self) -> list[dict[str, Any]]:
        """All rows; the VMs' states as they are now, what nodes say as it was at the last look."""
        found = []
        for member in self.cluster.nodes.values():
            row = {**self.rows[member.name], **self._machine(member)}
            found.append(row if row["vm"] == UP else {**row, "units": None, "mesh": None})
        return found

    def _run(self) -> None:
        while not self._end.wait(PAUSE):
            for member in self.cluster.nodes.values():
                if self._end.is_set():
                    return
                try:
                    self.rows[member.name] = self._row(member)
                except (TholeError, OSError, ValueError):
                    continue  # it went while it was asked

    def _row(self, member: Member) -> dict[str, Any]:
        row = {**self._machine(member), "units": None, "mesh": None}
        # A node that somebody else talks to is asked the next time.
        if member.state() in (BOOTING, UP) and member.busy.acquire(blocking=False):
            try:
                if not member.answered:
                    member.wait(PATIENCE)
                row |= self._machine(member) | {"units": units(member), "mesh": mesh.status(member)}
            except (TholeError, OSError, ValueError):
                pass
            finally:
                member.busy.release()
        elif member.state() == UP:
            row = {**self.rows[member.name], **row, "units": self.rows[member.name]["units"],
                   "mesh": self.rows[member.name]["mesh"]}  # fmt: skip
        return row

    def _machine(self, member: Member) -> dict[str, Any]:
        state, now = member.state(), time.monotonic()
        if state == BOOTING and member.vm and HALTED in member.vm.console.text():
            state = "halted"
        if self._since.get(member.name, ("", 0.0))[0] != state:
            self._since[member.name] = (state, now)
        return {
            "name": member.name,
            "address": member.address,
            "mac": member.mac,
            "vm": state,
            "seconds": round(now - self._since[member.name][1], 1),
            "boots": member.boots,
            "console": str(member.folder / "console.log"),
        }


def units(member: Member) -> dict[str, Any] | None:
    """How many units are ready, and the names of those that are on their way or failed."""
    done = member.execute(mesh.THOLE, "status", "--json")
    if done.status != 0 and not done.stdout:
        return None
    states = {unit["name"]: unit["state"] for unit in json.loads(done.stdout)}
    return {
        "ready": sum(state in ("ready", "done") for state in states.values()),
        "waiting": [name for name, state in states.items() if state in ON_ITS_WAY],
        "failed": [name for name, state in states.items() if state == "failed"],
    }


def lines(rows: list[dict[str, Any]], width: int = 0) -> list[str]:
    """The table; cut to `width` columns when that is not 0."""
    cells = [HEAD, *(cells_of(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEAD) - 1)]
    made = [
        "  ".join([*(f"{cell:<{size}}" for cell, size in zip(line, widths, strict=False)), line[-1]]) for line in cells
    ]
    return [line[:width] if width else line.rstrip() for line in made]


def cells_of(row: dict[str, Any]) -> tuple[str, ...]:
    """A row in words."""
    since = f"{row['seconds']:.0f} s"
    return (row["name"], row["address"], row["vm"], since, units_text(row["units"]), mesh_text(row["mesh"]))


def units_text(found: dict[str, Any] | None) -> str:
    """3 ready; 3 ready, 1 on the way; 3 ready, failed: kubelet."""
    if not found:
        return "-"
    text = f"{found['ready']} ready"
    if found["waiting"]:
        text += f", {len(found['waiting'])} on the way"
    return text + (f", failed: {' '.join(found['failed'])}" if found["failed"] else "")


def mesh_text(found: dict[str, Any] | None) -> str:
    """10.41.3.7, joined, 4 of 4 peers up."""
    if not found:
        return "-"
    address = found.get("ipv4") or found.get("ipv6") or "no address"
    return f"{address}, {found.get('state')}, {found.get('up')} of {found.get('peers')} peers up"
