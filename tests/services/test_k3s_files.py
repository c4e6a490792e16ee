"""The files of a k3s release: what is downloaded or handed over counts only with the right sum, now and later."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from driver.cache import Cache
from driver.errors import TholeError
from services.k3s import choice, obtain
from services.k3s.obtain import Lock, Release

PROGRAM, IMAGES = b"not k3s, but bytes that stand for it", b"images"
SUM, IMAGES_SUM = (hashlib.sha256(content).hexdigest() for content in (PROGRAM, IMAGES))
VERSION = "v1.34.3+k3s1"
SUMS = "sha256sum-amd64.txt"


class Site(http.server.BaseHTTPRequestHandler):
    """A release page on loopback."""

    files: dict[str, bytes] = {}
    asked: list[str] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        content = self.files.get(self.path)
        self.send_response(200 if content is not None else 404)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, *_: object) -> None:
        """Not on the test's output."""


@pytest.fixture
def release() -> Iterator[Release]:
    """A release whose files a server on loopback has."""
    listed = f"{SUM}  k3s\n{IMAGES_SUM}  k3s-airgap-images-amd64.tar.zst\n".encode()
    base = "/v1.34.3%2Bk3s1/"
    Site.files = {f"{base}k3s": PROGRAM, f"{base}{SUMS}": listed}
    Site.asked = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Release(VERSION, f"http://127.0.0.1:{server.server_port}/{{version}}/{{file}}")
        server.shutdown()


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def lock(tmp_path: Path) -> Lock:
    return Lock(tmp_path / "lock.ini")


def test_what_is_downloaded_is_checked_and_remembered(release: Release, lock: Lock, cache: Cache) -> None:
    """By the release's own list; later the cache has it, and nobody is asked."""
    assert obtain.obtain("k3s", release, lock, cache, SUMS).read_bytes() == PROGRAM
    assert Lock(lock.path).get(VERSION, "k3s") == SUM
    asked = len(Site.asked)
    assert obtain.obtain("k3s", release, Lock(lock.path), cache, SUMS).read_bytes() == PROGRAM
    assert len(Site.asked) == asked


def test_a_download_with_another_sum_is_refused(release: Release, lock: Lock, cache: Cache) -> None:
    """Nothing of it stays, neither in the cache nor in the lock."""
    Site.files["/v1.34.3%2Bk3s1/k3s"] = PROGRAM + b"!"
    with pytest.raises(TholeError, match="has the sum .*, but sha256sum-amd64.txt of the release says"):
        obtain.obtain("k3s", release, lock, cache, SUMS)
    assert not lock.path.exists()
    assert not cache.has("k3s", SUM)


def test_the_lock_goes_before_the_release(release: Release, lock: Lock, cache: Cache) -> None:
    """A release that has changed since is refused, though its own list fits."""
    lock.record(VERSION, "k3s", "0" * 64)
    with pytest.raises(TholeError, match=r"lock\.ini says 0000"):
        obtain.obtain("k3s", release, lock, cache, SUMS)
    assert Lock(lock.path).get(VERSION, "k3s") == "0" * 64


def test_a_file_that_the_list_lacks_is_refused(release: Release, lock: Lock, cache: Cache) -> None:
    with pytest.raises(TholeError, match="does not list k3s-arm64"):
        obtain.obtain("k3s-arm64", release, lock, cache, SUMS)


def test_without_a_network_the_message_says_what_to_do(lock: Lock, cache: Cache) -> None:
    nowhere = Release(VERSION, "http://127.0.0.1:1/{version}/{file}")
    with pytest.raises(TholeError) as caught:
        obtain.obtain("k3s", nowhere, lock, cache, SUMS)
    assert "cannot fetch http://127.0.0.1:1/v1.34.3%2Bk3s1/sha256sum-amd64.txt" in caught.value.what
    assert "--k3s FILE --sha256 SUM" in str(caught.value.remedy)


def given(folder: Path, content: bytes, name: str) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_a_file_that_is_handed_over(lock: Lock, cache: Cache, tmp_path: Path) -> None:
    """With its sum it is taken, and from then on it is the one."""
    file = given(tmp_path, PROGRAM, "mine")
    place = obtain.hand_over(file, SUM, "k3s", Release.read(), lock, cache)
    assert place.read_bytes() == PROGRAM
    assert obtain.obtain("k3s", Release.read(), Lock(lock.path), cache, SUMS) == place


@pytest.mark.parametrize(
    ("content", "total", "message"),
    [
        (PROGRAM + b"!", SUM, "has the sum .*, not"),
        (PROGRAM, "abc", "is no SHA-256"),
        (PROGRAM, SUM.upper(), "is no SHA-256"),
    ],
)
def test_a_wrong_file_or_sum_changes_nothing(
    lock: Lock, cache: Cache, tmp_path: Path, content: bytes, total: str, message: str
) -> None:
    with pytest.raises(TholeError, match=message):
        obtain.hand_over(given(tmp_path, content, "mine"), total, "k3s", Release.read(), lock, cache)
    assert not lock.path.exists()


def test_a_second_file_for_one_version_is_refused(lock: Lock, cache: Cache, tmp_path: Path) -> None:
    lock.record(Release.read().version, "k3s", SUM)
    other = given(tmp_path, b"other", "mine")
    total = hashlib.sha256(b"other").hexdigest()
    with pytest.raises(TholeError, match="a release's files never change|but .* has"):
        obtain.hand_over(other, total, "k3s", Release.read(), lock, cache)
    assert Lock(lock.path).get(Release.read().version, "k3s") == SUM


def test_images_are_handed_over_likewise_or_left_out(lock: Lock, cache: Cache, tmp_path: Path) -> None:
    without = tmp_path / "build" / "without"
    choice.take("x86_64", None, None, "none", None, cache, lock.path, without)
    assert without.exists()
    file = given(tmp_path, IMAGES, "images")
    choice.take("x86_64", None, None, str(file), IMAGES_SUM, cache, lock.path, without)
    assert not without.exists()
    assert Lock(lock.path).get(Release.read().version, "k3s-airgap-images-amd64.tar.zst") == IMAGES_SUM


def test_the_pinned_release() -> None:
    """Its version is one of k3s' and Kubernetes' 1.34, its address names neither another version nor another file."""
    pinned = Release.read()
    assert pinned.version.startswith("v1.34.") and "+k3s" in pinned.version
    assert pinned.url("k3s").endswith(f"/{pinned.version.replace('+', '%2B')}/k3s")
    for entry in Lock().path.read_text().splitlines():
        assert not entry or entry[0] in ";[" or obtain._SUM.fullmatch(entry.partition(" = ")[2]), entry
