"""The cache: made once, whole or not at all."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from driver.cache import Cache, digest, manifest, remove_tree


def writer(text: str):
    """A maker that writes one file."""
    return lambda directory: (directory / "file").write_text(text)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """An empty cache."""
    return Cache(tmp_path / "cache")


def test_made_once(cache: Cache) -> None:
    """The second time the maker is not asked."""
    first = cache.entry("kind", digest("key"), writer("one"))
    second = cache.entry("kind", digest("key"), writer("two"))
    assert first == second and (second / "file").read_text() == "one"
    assert manifest(first)["file"]["size"] == 3


def test_other_key_other_entry(cache: Cache) -> None:
    """Keys that are no digests are digested."""
    assert cache.entry("kind", "a", writer("one")) != cache.entry("kind", "b", writer("two"))


@pytest.mark.parametrize("damage", ["cut", "removed", "added", "manifest"])
def test_damaged_is_made_again(cache: Cache, damage: str) -> None:
    """An entry that is not what its manifest says is thrown away."""
    place = cache.entry("kind", digest("key"), writer("one"))
    if damage == "cut":
        (place / "file").write_text("o")
    elif damage == "removed":
        (place / "file").unlink()
    elif damage == "added":
        (place / "other").write_text("x")
    else:
        (place / ".manifest.json").write_text('{"files":')
    assert (cache.entry("kind", digest("key"), writer("two")) / "file").read_text() == "two"


def test_failure_leaves_nothing(cache: Cache) -> None:
    """A maker that fails half-way, as on a full disk, leaves no entry and no rubbish."""

    def fail(directory: Path) -> None:
        (directory / "half").write_text("x")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError):
        cache.entry("kind", digest("key"), fail)
    assert not cache.has("kind", digest("key")) and not list((cache.root / "kind").iterdir())


def _slow(root: Path, started: Path) -> None:
    def make(directory: Path) -> None:
        (directory / "half").write_text("x")
        started.touch()
        time.sleep(60)

    Cache(root).entry("kind", digest("key"), make)


def test_killed_maker_is_replaced(cache: Cache, tmp_path: Path) -> None:
    """SIGKILL in the middle: the next one makes the entry and takes the rubbish away."""
    started = tmp_path / "started"
    child = multiprocessing.get_context("fork").Process(target=_slow, args=(cache.root, started))
    child.start()
    while not started.exists():
        time.sleep(0.01)
    assert child.pid
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    place = cache.entry("kind", digest("key"), writer("whole"))
    assert sorted(path.name for path in place.iterdir()) == [".manifest.json", "file"]
    assert [path.name for path in (cache.root / "kind").iterdir()] == [place.name]


def _count(root: Path, log: Path) -> None:
    def make(directory: Path) -> None:
        with open(log, "a") as stream:
            stream.write("made\n")
        time.sleep(0.2)
        (directory / "file").write_text("x")

    Cache(root).entry("kind", digest("key"), make)


def test_two_at_once_make_it_once(cache: Cache, tmp_path: Path) -> None:
    """The second waits for the first and takes what it made."""
    log = tmp_path / "log"
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=_count, args=(cache.root, log)) for _ in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert log.read_text() == "made\n"


def test_digest_is_of_contents(tmp_path: Path) -> None:
    """A tree's digest depends on names, contents and the executable bit, not on place, time or bytecode."""
    for name in ("one", "two"):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "sub" / "file").write_text("text")
        (tmp_path / name / "link").symlink_to("sub/file")
    (tmp_path / "two" / "__pycache__").mkdir()
    one = digest(tmp_path / "one")
    assert one == digest(tmp_path / "two")
    (tmp_path / "two" / "sub" / "file").chmod(0o755)
    assert one != digest(tmp_path / "two")
    assert digest("ab", "c") != digest("a", "bc")


def test_remove_tree_of_read_only_folders(tmp_path: Path) -> None:
    """Go's module cache has folders without write permission."""
    (tmp_path / "tree" / "sub").mkdir(parents=True)
    (tmp_path / "tree" / "sub" / "file").write_text("x")
    (tmp_path / "tree" / "sub").chmod(0o500)
    remove_tree(tmp_path / "tree")
    assert not (tmp_path / "tree").exists()
