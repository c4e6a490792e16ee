"""Debian packages of another release, through a private apt root, without being root.

The mirrors are those of this machine's own apt configuration with the release replaced, the keys those of
debian-archive-keyring; proxies and the like stay as the machine has them. Indexes are fetched once and used
as they are until refresh(), so a warm build needs no network. apt checks every file against the signed
indexes.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from driver import apt_sources, locked
from driver.cache import Cache, file_sha256
from driver.errors import TholeError

_URI_LINE = re.compile(r"^'(?P<uri>[^']+)' (?P<name>\S+) (?P<size>\d+) SHA256:(?P<sha256>[0-9a-f]{64})$")
_INSTALL_LINE = re.compile(r"^'[^']+' (\S+\.deb) ", re.MULTILINE)
_CONFIGURATION = """\
Dir::State "{root}/state/";
Dir::State::status "{root}/status";
Dir::Cache "{root}/cache/";
Dir::Cache::pkgcache "pkgcache.bin";
Dir::Cache::srcpkgcache "srcpkgcache.bin";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "{root}/sources";
Dir::Etc::preferencesparts "/dev/null";
Dir::Etc::preferences "/dev/null";
#clear APT::Architectures;
APT::Architecture "{arch}";
APT::Architectures {{ "{arch}"; }};
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear APT::Default-Release;
Acquire::Languages "none";
Acquire::Retries "3";
APT::Update::Error-Mode "any";
APT::Sandbox::User "root";
APT::Get::Only-Source "true";
"""


class Apt:
    """The packages of one Debian release for one architecture."""

    def __init__(self, suite: str = "trixie", arch: str = "amd64", cache: Cache | None = None) -> None:
        self.suite = suite
        self.arch = arch
        self.cache = cache or Cache()
        self.root = self.cache.root / "apt" / f"{suite}-{arch}"
        self._lock = f"apt-{suite}-{arch}"

    # -- what steps use

    def download(self, packages: list[str]) -> dict[str, Path]:
        """Fetch exactly these binary packages (dependencies are not followed); name to .deb file."""
        asked = locked.pinned(self.suite, packages)
        wanted = {_package_of(uri.name): uri for uri in self._uris(["download", *asked])}
        unknown = [name for name in packages if name.partition("=")[0] not in wanted]
        if unknown:
            raise TholeError(
                f"Debian {self.suite} gave no address for {', '.join(unknown)}", "check the names"
            )
        self._fetch(["download"], {uri: [f"{name}={uri.version}"] for name, uri in wanted.items()})
        return {name: self._stored(wanted[name.partition("=")[0]]) for name in packages}

    def source(self, packages: list[str]) -> dict[str, list[Path]]:
        """Fetch source packages; name to its files (.dsc, upstream and Debian tarballs)."""
        result = {}
        for package in packages:
            files = self._uris(["source", package])
            self._fetch(["source", "--download-only"], {uri: [package] for uri in files})
            result[package] = [self._stored(uri) for uri in files]
        return result

    def version(self, package: str) -> str:
        """The version of a binary package that download() would fetch."""
        return self._uris(["download", *locked.pinned(self.suite, [package])])[0].version

    def check_lock(self, versions: dict[str, str]) -> None:
        """TholeError that names all of these versions which the mirror does not have any more."""
        command = self.command("apt-cache", "madison", *sorted(versions))
        with self.cache.lock(self._lock):
            listed = _run(command).stdout
        missing = locked.gone(versions, listed)
        if missing:
            raise TholeError(
                f"Debian {self.suite}'s mirror does not have these versions any more: {', '.join(missing)}",
                "point this machine's apt at an archive that keeps them (a snapshot), or build without --locked",
            )

    def closure(self, package: str) -> list[str]:
        """The package and all packages that it depends on, recommendations left out."""
        command = self.command(
            "apt-get", "--print-uris", "--yes", "--no-install-recommends", "install", package
        )
        with self.cache.lock(self._lock):
            result = _run(command)
        names = [_package_of(name) for name in _INSTALL_LINE.findall(result.stdout)]
        if result.returncode != 0 or not names:
            raise TholeError(
                f"Debian {self.suite} cannot tell what {package} depends on: {_reason(result.stderr)}",
                "./thole build --update fetches newer package indexes",
            )
        return names

    def indexes(self) -> str:
        """What changes whenever the package indexes are fetched anew."""
        self._prepare()
        return str((self.root / "updated").stat().st_mtime_ns)

    def refresh(self) -> None:
        """Fetch the package indexes anew."""
        with self.cache.lock(self._lock):
            self._update()

    def command(self, program: str, *arguments: str) -> list[str]:
        """argv of an apt program (apt-get, apt-cache, ...) that works on this private root, with indexes."""
        self._prepare()
        return [program, "-q", "-c", str(self.root / "apt.conf"), *arguments]

    # -- the private root

    def _prepare(self) -> None:
        """Write the root's configuration; fetch the indexes where there are none or the mirrors changed."""
        with self.cache.lock(self._lock):
            if self._configure() or not (self.root / "updated").exists():
                self._update()

    def _configure(self) -> bool:
        """Write apt.conf and the sources; true where the sources are not what they were."""
        text = _sources(self.suite)
        for directory in ("state/lists/partial", "cache/archives/partial", "sources"):
            (self.root / directory).mkdir(parents=True, exist_ok=True)
        (self.root / "status").touch()
        _write_changed(self.root / "apt.conf", _CONFIGURATION.format(root=self.root, arch=self.arch))
        return _write_changed(self.root / "sources" / "debian.sources", text)

    def _update(self) -> None:
        self._configure()
        updated = self.root / "updated"
        updated.unlink(missing_ok=True)
        result = _run(["apt-get", "-q", "-c", str(self.root / "apt.conf"), "update"])
        if result.returncode != 0:
            raise TholeError(
                f"the package indexes of Debian {self.suite} could not be fetched: {_reason(result.stderr)}",
                "check the network and this machine's apt sources (apt-get update), then repeat",
            )
        updated.touch()

    # -- fetching

    def _uris(self, arguments: list[str]) -> list[_Uri]:
        """The files that an apt-get command would fetch."""
        command = self.command("apt-get", "--print-uris", *arguments)
        with self.cache.lock(self._lock):
            result = _run(command)
        if result.returncode != 0:
            raise TholeError(
                f"Debian {self.suite} does not have what was asked ({' '.join(arguments[1:])}): "
                f"{_reason(result.stderr)}",
                "check the package names; ./thole build --update fetches newer package indexes",
            )
        return [
            _Uri(**match.groupdict()) for match in map(_URI_LINE.match, result.stdout.splitlines()) if match
        ]

    def _stored(self, uri: _Uri) -> Path:
        return self.cache.place("packages", uri.sha256) / uri.name

    def _fetch(self, command: list[str], wanted: dict[_Uri, list[str]]) -> None:
        """Bring the files that are not in the cache yet into it, with one apt-get."""
        missing = {uri: names for uri, names in wanted.items() if not self.cache.has("packages", uri.sha256)}
        if not missing:
            return
        names = sorted({name for group in missing.values() for name in group})
        self.cache.root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.cache.root, prefix=".apt-") as staging:
            result = _run(self.command("apt-get", *command, *names), cwd=staging)
            if result.returncode != 0:
                raise TholeError(
                    f"fetching {len(names)} packages of Debian {self.suite} failed: {_reason(result.stderr)}",
                    "check the network; where a mirror no longer has the file, run ./thole build --update",
                )
            for uri in missing:
                self._keep(uri, Path(staging) / uri.name)

    def _keep(self, uri: _Uri, file: Path) -> None:
        """Move a fetched file into the cache after checking its SHA-256."""
        if not file.exists() or file_sha256(file) != uri.sha256:
            raise TholeError(
                f"{uri.name} from {uri.uri} does not have the SHA-256 of the signed index",
                "repeat; if it lasts, use another mirror",
            )
        self.cache.entry("packages", uri.sha256, lambda made: shutil.move(file, made / uri.name))


class _Uri:
    """A file that apt would fetch."""

    def __init__(self, uri: str, name: str, size: str, sha256: str) -> None:
        self.uri, self.name, self.size, self.sha256 = uri, name, int(size), sha256

    @property
    def version(self) -> str:
        """The version in a binary package's file name; apt writes the epoch's colon as %3a."""
        return self.name.split("_")[1].replace("%3a", ":")


def _package_of(file_name: str) -> str:
    return file_name.split("_")[0]


@functools.cache
def _sources(suite: str) -> str:
    return apt_sources.render(suite)


def _write_changed(path: Path, text: str) -> bool:
    """Write a file where its text differs; true where it did."""
    if path.exists() and path.read_text() == text:
        return False
    path.write_text(text)
    return True


def _run(command: list[str], cwd: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    environment.pop("APT_CONFIG", None)
    try:
        return subprocess.run(
            command,
            cwd=cwd,
            env=environment,
            text=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise TholeError(
            f"{command[0]} is not on this machine", "thole builds on Debian 12 and 13"
        ) from error


def _reason(output: str) -> str:
    """The first error in apt's messages."""
    lines = [line for line in output.splitlines() if line.startswith(("E:", "W:"))]
    return lines[0][2:].strip() if lines else (output.strip().splitlines() or ["no message"])[-1]


def reachable(suite: str) -> str:
    """Why the signed release file of `suite` cannot be fetched from the first mirror; empty where it can."""
    uris = [line.partition(" ")[2] for line in _sources(suite).splitlines() if line.startswith("URIs:")]
    with tempfile.TemporaryDirectory() as directory:
        # apt's own downloader: it alone knows the proxies and logins of this machine's apt.
        result = _run(
            ["/usr/lib/apt/apt-helper", "-o", "Acquire::Retries=0", "-o", "APT::Sandbox::User=root",
             "download-file", f"{uris[0]}/dists/{suite}/InRelease", f"{directory}/InRelease"]
        )  # fmt: skip
    return "" if result.returncode == 0 else _reason(result.stderr)
