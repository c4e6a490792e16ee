"""This machine's Debian mirrors, read from its apt configuration, for another release of Debian."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from driver.errors import TholeError

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_RELEASES = {"bullseye", "bookworm", "trixie", "forky", "sid", "stable", "oldstable", "testing", "unstable"}
_ROLLING_NAMES = {"stable", "oldstable", "testing", "unstable", "sid"}
_ONE_LINE = re.compile(
    r"^deb(?:-src)?\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>.+)$"
)


class Mirror(NamedTuple):
    """A mirror of Debian's archive: `kind` is base or security, `key` the machine's own key file for it."""

    kind: str
    uri: str
    key: str


def render(suite: str, root: Path = Path("/etc/apt"), keyring: Path = KEYRING) -> str:
    """The deb822 sources for `suite`; with security where the machine has a mirror of it."""
    mirrors = list(dict.fromkeys(machine_mirrors(root)))
    if not any(mirror.kind == "base" for mirror in mirrors):
        raise TholeError(
            f"no Debian mirror in this machine's apt configuration ({root})",
            "add a deb line for a Debian mirror to /etc/apt/sources.list; thole uses the same mirror",
        )
    rolling = suite in ("sid", "unstable")
    stanzas = []
    for mirror in mirrors:
        if mirror.kind == "base":
            stanzas.append(_stanza(mirror, suite if rolling else f"{suite} {suite}-updates", keyring))
        elif not rolling:
            stanzas.append(_stanza(mirror, f"{suite}-security", keyring))
    return "\n".join(stanzas)


def _stanza(mirror: Mirror, suites: str, keyring: Path) -> str:
    keys = [str(keyring)] if keyring.exists() else []
    if mirror.key and mirror.key not in keys:
        keys.append(mirror.key)
    signed = f"Signed-By: {' '.join(keys)}\n" if keys else ""
    return (
        f"Types: deb deb-src\nURIs: {mirror.uri}\nSuites: {suites}\nComponents: main\n"
        f"Targets: Packages Sources\n{signed}"
    )


def machine_mirrors(root: Path) -> Iterator[Mirror]:
    """The Debian mirrors of the apt configuration below `root`, both formats, in apt's order."""
    files = [root / "sources.list"]
    parts = root / "sources.list.d"
    if parts.is_dir():
        files += sorted(path for path in parts.iterdir() if path.suffix in (".list", ".sources"))
    for path in files:
        if path.is_file():
            text = path.read_text(errors="replace")
            yield from _deb822(text) if path.suffix == ".sources" else _one_line(text)


def _one_line(text: str) -> Iterator[Mirror]:
    for line in text.splitlines():
        match = _ONE_LINE.match(line.partition("#")[0].strip())
        if match:
            options = dict(item.partition("=")[::2] for item in (match["options"] or "").split())
            kind = _kind(match["uri"], match["suite"], match["components"].split())
            if kind:
                yield Mirror(kind, match["uri"].rstrip("/"), _key_file(options.get("signed-by", "")))


def _deb822(text: str) -> Iterator[Mirror]:
    for stanza in re.split(r"\n\s*\n", text):
        fields = _fields(stanza)
        if fields.get("enabled", "yes").lower() in ("no", "false", "0"):
            continue
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                kind = _kind(uri, suite, fields.get("components", "").split())
                if kind:
                    yield Mirror(kind, uri.rstrip("/"), _key_file(fields.get("signed-by", "")))


def _fields(stanza: str) -> dict[str, str]:
    """The fields of a deb822 stanza with lower-case names; continued lines are joined by a newline."""
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line.startswith("#"):
            continue
        if line[:1].isspace() and name:
            fields[name] += "\n" + line.strip()
        elif ":" in line:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
    return fields


def _kind(uri: str, suite: str, components: list[str]) -> str:
    """base, security, or empty where the entry is not Debian's own archive."""
    if "main" not in components or uri.startswith("cdrom:"):
        return ""
    release, _, pocket = suite.partition("-")
    if release not in _RELEASES or pocket not in ("", "updates", "security"):
        return ""
    # Other projects also call their releases "stable"; Debian's mirrors say so in their path.
    if release in _ROLLING_NAMES and not re.search(r"debian(-security)?(\.list)?/?$", uri):
        return ""
    return {"": "base", "security": "security"}.get(pocket, "")


def _key_file(value: str) -> str:
    """The Signed-By value where it names a key file; a key written out in the sources is left aside."""
    return value if value.startswith("/") and "\n" not in value and Path(value).is_file() else ""
