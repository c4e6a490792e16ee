"""Licences of Go modules: what their files say, in the bill of materials and in the notices."""

from __future__ import annotations

from pathlib import Path

import pytest

from services import go_licences

APACHE = "Apache License\n   Version 2.0, January 2004\n"
BSD = "Copyright (c) 2020 A. Person.\nRedistribution and use in source and binary forms, with or without\nmodification\n"
MIT = "MIT License\nPermission is hereby granted, free\nof charge, to any person\n"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (APACHE, "Apache-2.0"), (BSD, "BSD-2-Clause"), (BSD + "used to endorse or promote products", "BSD-3-Clause"),
        (MIT, "MIT"), ("All rights reserved.", go_licences.UNKNOWN),
    ],
)  # fmt: skip
def test_texts_are_recognized(text: str, name: str) -> None:
    """However their lines are broken."""
    assert go_licences.recognize(text) == name


def test_a_module_with_several_files(tmp_path: Path) -> None:
    """Its licences together; a notice goes with them, other files do not."""
    for name, text in {"LICENSE": APACHE, "LICENSE-MIT.txt": MIT, "NOTICE": "made by us", "licensing.go": "package x"}.items():
        (tmp_path / name).write_text(text)
    found = go_licences.of_module(tmp_path)
    assert found.name == "Apache-2.0 AND MIT"
    assert "made by us" in found.text and "package x" not in found.text


def test_notices_of_what_is_there(tmp_path: Path) -> None:
    """The same text once, with all its modules; modules that are in no program have none."""
    for name, text in {"a": MIT, "b": MIT, "c": BSD, "d": APACHE}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "LICENSE").write_text(text)
    modules = {f"example.org/{name}@v1.0.0": tmp_path / name for name in "abcd"}
    go_licences.write(tmp_path / f"x{go_licences.ENDING}", modules)
    known = go_licences.read([tmp_path])
    text = go_licences.notices(known, {f"example.org/{name}@v1.0.0" for name in "abc"}).decode()
    assert "==== example.org/a@v1.0.0 (MIT), example.org/b@v1.0.0 (MIT)\n" in text
    assert text.count("Permission is hereby granted") == 1 and "A. Person" in text and "Apache" not in text
