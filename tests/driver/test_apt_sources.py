"""Mirrors from the machine's apt configuration, in both formats."""

from __future__ import annotations

from pathlib import Path

import pytest

from driver.apt_sources import machine_mirrors, render
from driver.errors import TholeError

ONE_LINE = """\
# a comment
deb http://mirror.example/debian bookworm main contrib  # trailing
deb-src http://mirror.example/debian bookworm main
deb [arch=amd64 signed-by=KEY] http://mirror.example/debian-security/ bookworm-security main
deb http://mirror.example/debian bookworm-updates main
deb http://mirror.example/debian bookworm-backports main
deb https://other.example/linux/debian bookworm stable
deb https://other.example/chrome stable main
deb cdrom:[Debian]/ bookworm main
"""
DEB822 = """\
Types: deb
URIs: http://mirror.example/debian
Suites: trixie trixie-updates
Components: main
Signed-By: KEY

# a stanza that is switched off
Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: trixie
Components: main

Types: deb
URIs: http://mirror.example/debian-security
Suites: trixie-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc

Types: deb
URIs: mirror+file:///etc/apt/mirrors/debian.list
Suites: stable
Components: main
"""


def configured(tmp_path: Path, name: str, text: str) -> Path:
    """An apt configuration with one file."""
    (tmp_path / "sources.list.d").mkdir()
    key = tmp_path / "key.gpg"
    key.write_bytes(b"key")
    (tmp_path / name).write_text(text.replace("KEY", str(key)))
    return tmp_path


def test_one_line(tmp_path: Path) -> None:
    """Base and security, other projects' archives left aside."""
    found = set(machine_mirrors(configured(tmp_path, "sources.list", ONE_LINE)))
    assert {(one.kind, one.uri) for one in found} == {
        ("base", "http://mirror.example/debian"),
        ("security", "http://mirror.example/debian-security"),
    }


def test_deb822(tmp_path: Path) -> None:
    """Stanzas, switched-off ones, keys in the text, mirror lists."""
    found = list(machine_mirrors(configured(tmp_path, "sources.list.d/debian.sources", DEB822)))
    assert [(one.kind, one.uri) for one in found] == [
        ("base", "http://mirror.example/debian"),
        ("security", "http://mirror.example/debian-security"),
        ("base", "mirror+file:///etc/apt/mirrors/debian.list"),
    ]
    assert found[0].key.endswith("key.gpg") and found[1].key == ""


def test_render(tmp_path: Path) -> None:
    """Another release on the same mirrors, each once."""
    text = render("trixie", configured(tmp_path, "sources.list", ONE_LINE), keyring=tmp_path / "key.gpg")
    assert text.count("URIs: http://mirror.example/debian\n") == 1
    assert "Suites: trixie trixie-updates\n" in text and "Suites: trixie-security\n" in text
    assert f"Signed-By: {tmp_path / 'key.gpg'}\n" in text


def test_no_mirror(tmp_path: Path) -> None:
    """A machine without a Debian mirror is told what to do."""
    with pytest.raises(TholeError, match="no Debian mirror"):
        render("trixie", configured(tmp_path, "sources.list", "deb http://x.example/ubuntu noble main\n"))
