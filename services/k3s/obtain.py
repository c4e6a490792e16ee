"""Gets the files of a k3s release: from the release itself, checked against its own list of sums, or from a person.

What was checked once is in lock.ini: later builds take that file and no other, whoever hands it over. A file that is
not the one it should be is refused, and nothing of it is kept.
"""

from __future__ import annotations

import configparser
import re
import shutil
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from driver.cache import Cache, file_sha256
from driver.errors import TholeError
from driver.progress import report

HERE = Path(__file__).resolve().parent
RELEASE, LOCK = HERE / "release.ini", HERE / "lock.ini"
_SUM = re.compile(r"[0-9a-f]{64}")
_TIMEOUT = 60
_BLOCK = 1 << 20
_REMEDY = (
    "download it elsewhere and hand it over: ./thole build --profile k3s --k3s FILE --sha256 SUM "
    "[--k3s-images FILE --k3s-images-sha256 SUM | --k3s-images none]"
)


@dataclass(frozen=True)
class Names:
    """What a release calls its files for an architecture."""

    program: str
    sums: str
    images: str


NAMES = {
    "x86_64": Names("k3s", "sha256sum-amd64.txt", "k3s-airgap-images-amd64.tar.zst"),
    "aarch64": Names("k3s-arm64", "sha256sum-arm64.txt", "k3s-airgap-images-arm64.tar.zst"),
}


@dataclass(frozen=True)
class Release:
    """A version and where its files are."""

    version: str
    address: str

    @classmethod
    def read(cls, path: Path = RELEASE) -> Release:
        """The release of release.ini."""
        parser = configparser.ConfigParser(interpolation=None)
        parser.read_string(path.read_text(), str(path))
        return cls(parser["k3s"]["version"], parser["k3s"]["address"])

    def url(self, file: str) -> str:
        """Where a file of it is; the + of its version is %2B there."""
        return self.address.format(version=urllib.parse.quote(self.version, safe=""), file=file)


class Lock:
    """The sums that builds have checked."""

    def __init__(self, path: Path = LOCK) -> None:
        self.path = path
        self._parser = configparser.ConfigParser(interpolation=None)
        self._parser.optionxform = str  # type: ignore[assignment]
        if path.exists():
            self._parser.read_string(path.read_text(), str(path))

    def get(self, version: str, file: str) -> str:
        """The sum of a file; empty where none was checked yet."""
        return self._parser.get(version, file, fallback="")

    def record(self, version: str, file: str, sha256: str) -> None:
        """Remember a sum. Another one than before is refused."""
        known = self.get(version, file)
        if known and known != sha256:
            raise TholeError(
                f"{file} of {version} has the sum {sha256}, but {self.path} has {known}",
                "a release's files never change: find out which of the two is not the release's. If the lock is wrong, "
                "take its line out",
            )
        if known:
            return
        if not self._parser.has_section(version):
            self._parser.add_section(version)
        self._parser.set(version, file, sha256)
        lines = ["; Written by the build, see obtain.py: a section for each release, FILE = SHA-256."]
        for section in sorted(self._parser.sections()):
            lines += ["", f"[{section}]", *(f"{key} = {value}" for key, value in sorted(self._parser[section].items()))]
        part = self.path.with_name(self.path.name + ".part")
        part.write_text("\n".join(lines) + "\n")
        part.replace(self.path)


def hand_over(file: Path, sha256: str, name: str, release: Release, lock: Lock, cache: Cache) -> Path:
    """Take a file that a person gives with its sum; its place in the cache."""
    if not _SUM.fullmatch(sha256):
        raise TholeError(f"{sha256!r} is no SHA-256", "it has 64 digits of 0-9a-f, as `sha256sum` prints them")
    if not file.is_file():
        raise TholeError(f"{file} is not there")
    actual = file_sha256(file)
    if actual != sha256:
        raise TholeError(
            f"{file} has the sum {actual}, not {sha256}",
            "it is damaged, or another file: download it again, with the release's own list of sums",
        )
    lock.record(release.version, name, sha256)
    return keep(file, sha256, cache)


def keep(file: Path, sha256: str, cache: Cache) -> Path:
    """The file's place in the cache, by its sum."""

    def copy(directory: Path) -> None:
        shutil.copyfile(file, directory / "file")

    return cache.entry("k3s", sha256, copy) / "file"


def obtain(name: str, release: Release, lock: Lock, cache: Cache, sums: str) -> Path:
    """A file of the release: what is in the cache by the lock's sum, else downloaded and checked."""
    known = lock.get(release.version, name)
    if known and cache.has("k3s", known):
        return cache.place("k3s", known) / "file"
    wanted = known or listed_sum(fetch_text(release.url(sums)), name, sums)

    def make(directory: Path) -> None:
        actual = download(release.url(name), directory / "file")
        if actual != wanted:
            source = lock.path if known else f"{sums} of the release"
            raise TholeError(
                f"what came from {release.url(name)} has the sum {actual}, but {source} says {wanted}",
                "try again; if it stays so, somebody has changed one of them",
            )

    place = cache.entry("k3s", wanted, make) / "file"
    lock.record(release.version, name, wanted)
    return place


def listed_sum(text: str, name: str, where: str) -> str:
    """The sum of a file in a list as sha256sum(1) writes it."""
    for line in text.splitlines():
        words = line.split()
        if len(words) == 2 and words[1].lstrip("*") == name and _SUM.fullmatch(words[0]):
            return words[0]
    raise TholeError(f"{where} of the release does not list {name}", "is release.ini's version right?")


def fetch_text(url: str) -> str:
    """A small text file."""
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer:
            return str(answer.read(_BLOCK).decode())
    except (OSError, UnicodeDecodeError) as error:
        raise TholeError(f"cannot fetch {url}: {error}", _REMEDY) from None


def download(url: str, target: Path) -> str:
    """Write what is there to a file; its sum."""
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer, target.open("wb") as file:
            total, done = int(answer.headers.get("Content-Length") or 0), 0
            while block := answer.read(_BLOCK):
                file.write(block)
                done += len(block)
                report("k3s", done, total, url.rpartition("/")[2])
            if total and done != total:
                raise TholeError(f"{url} ended after {done} of {total} bytes", "try again")
    except OSError as error:
        raise TholeError(f"cannot download {url}: {error}", _REMEDY) from None
    return file_sha256(target)
