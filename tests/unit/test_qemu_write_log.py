"""Logs of writes, made by hand: what they say, what they make of a disk, and what is refused."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from qemu import write_log
from qemu.images import make_sparse
from qemu.write_log import DISCARD, FLUSH, MAGIC, SECTOR, WriteLog, WriteLogError


def make(path: Path, *entries: tuple[int, int, bytes], promised: int | None = None, sector: int = SECTOR) -> Path:
    """A log of entries (sector on the disk, flags, data; of a discard the data's length counts)."""
    count = len(entries) if promised is None else promised
    blob = struct.pack("<QQQI", MAGIC, write_log.VERSION, count, sector).ljust(sector, b"\0")
    for first, flags, data in entries:
        blob += struct.pack("<QQQQ", first, len(data) // sector, flags, 0).ljust(sector, b"\0")
        blob += b"" if flags & DISCARD else data
    path.write_bytes(blob)
    return path


def fill(letter: str, sectors: int = 1) -> bytes:
    return letter.encode() * SECTOR * sectors


@pytest.mark.parametrize("sector", [512, 4096])
def test_entries(tmp_path: Path, sector: int) -> None:
    data = b"a" * 2 * sector
    with WriteLog(make(tmp_path / "log", (3, 0, data), (0, FLUSH, b""), (1, 0, data), sector=sector)) as log:
        assert [(one.offset, one.size, one.settles) for one in log.entries] == [
            (3 * sector, 2 * sector, False), (0, 0, True), (sector, 2 * sector, False),
        ]  # fmt: skip
        assert [log.durable(count) for count in range(4)] == [0, 0, 2, 2]


def test_replay(tmp_path: Path) -> None:
    make_sparse(tmp_path / "disk", 4 * SECTOR)
    path = make(tmp_path / "log", (0, 0, fill("a", 3)), (0, FLUSH, b""), (1, 0, fill("b")), (2, DISCARD, fill("-")))
    with WriteLog(path) as log:
        log.replay(tmp_path / "disk", range(3))
        assert (tmp_path / "disk").read_bytes() == fill("a") + fill("b") + fill("a") + fill("\0")
        log.replay(tmp_path / "disk", range(3, 4))
        assert (tmp_path / "disk").read_bytes() == fill("a") + fill("b") + fill("\0", 2)


def test_replay_of_some_blocks(tmp_path: Path) -> None:
    make_sparse(tmp_path / "disk", 4 * SECTOR)
    kept = iter([True, False, True, False])
    with WriteLog(make(tmp_path / "log", (0, 0, fill("a", 3)), (3, 0, fill("b")))) as log:
        log.replay(tmp_path / "disk", range(2), keep=lambda: next(kept), block=SECTOR)
    assert (tmp_path / "disk").read_bytes() == fill("a") + fill("\0") + fill("a") + fill("\0")


def test_what_is_written_while_it_is_read_does_not_count(tmp_path: Path) -> None:
    path = make(tmp_path / "log", (0, 0, fill("a")), (1, 0, fill("b")), promised=1)
    with WriteLog(path) as log:
        assert len(log.entries) == 1


@pytest.mark.parametrize("content", [b"", b"x" * 4096, struct.pack("<QQQI", MAGIC, 2, 0, SECTOR)])
def test_no_log(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "log").write_bytes(content)
    with pytest.raises(WriteLogError, match="no log of writes|has version 2"):
        WriteLog(tmp_path / "log")


@pytest.mark.parametrize("missing", [1, SECTOR, SECTOR + 1, 2 * SECTOR])
def test_a_log_that_is_cut_short(tmp_path: Path, missing: int) -> None:
    path = make(tmp_path / "log", (0, 0, fill("a")))
    path.write_bytes(path.read_bytes()[:-missing])
    with pytest.raises(WriteLogError, match="cut short: entry 0 of 1"):
        WriteLog(path)
