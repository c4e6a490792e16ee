"""`./thole build --locked`: which versions are asked for, and what is said of those that are gone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from driver import locked
from driver.errors import TholeError

MADISON = """\
 dosfstools | 4.2-1.2 | http://mirror trixie/main amd64 Packages
    libc6 | 2.41-12 | http://mirror trixie/main amd64 Packages
"""


def test_what_is_locked_is_asked_for_by_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of that release of Debian alone, and only while there is a lock."""
    file = tmp_path / "manifest.json"
    file.write_text(json.dumps({"packages": {"trixie": {"libc6": "2.41-12"}}}))
    monkeypatch.delenv(locked.VARIABLE, raising=False)
    assert locked.pinned("trixie", ["libc6"]) == ["libc6"]
    monkeypatch.setenv(locked.VARIABLE, "")
    locked.use(file)
    assert locked.pinned("trixie", ["libc6", "mount"]) == ["libc6=2.41-12", "mount"]
    assert locked.pinned("sid", ["libc6"]) == ["libc6"]


def test_what_is_gone_is_named() -> None:
    """By name and version."""
    assert locked.gone({"libc6": "2.41-12", "dosfstools": "4.2-1.2"}, MADISON) == []
    assert locked.gone({"libc6": "2.41-11", "mount": "2.41"}, MADISON) == ["libc6 2.41-11", "mount 2.41"]


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"packages": []}', '{"packages": {"trixie": 1}}'])
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    """With what to give instead."""
    file = tmp_path / "manifest.json"
    file.write_text(text)
    with pytest.raises(TholeError, match="does not say which packages"):
        locked.read(file)
