"""Licences of the Go modules that programs are built of: each module's own file, and which licence it is by its words."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NamedTuple

ENDING = ".licences.json"
_FILE = re.compile(r"^(licen[cs]e|copying|unlicense)([-.](md|txt|apache|mit|bsd))*$", re.IGNORECASE)
_NOTICE = re.compile(r"^notice(\.(md|txt))?$", re.IGNORECASE)
# Words that one licence has and the others have not, SPDX's name for it; the first that fits.
_WORDS = (
    ("Apache-2.0", ("Apache License", "Version 2.0")),
    ("MPL-2.0", ("Mozilla Public License", "Version 2.0")),
    ("MIT", ("Permission is hereby granted, free of charge",)),
    ("ISC", ("Permission to use, copy, modify, and",)),
    ("BSD-3-Clause", ("Redistribution and use in source and binary forms", "endorse or promote")),
    ("BSD-2-Clause", ("Redistribution and use in source and binary forms",)),
    ("Unlicense", ("This is free and unencumbered software",)),
    ("CC0-1.0", ("CC0 1.0 Universal",)),
)
UNKNOWN = "NOASSERTION"


class Licence(NamedTuple):
    """SPDX's name, several joined by AND, and the texts themselves."""

    name: str
    text: str


def of_module(folder: Path) -> Licence:
    """What the files at the top of a module say; one without any has its licence in the folder above it, or nowhere."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and _FILE.match(path.name))
    texts = [path.read_text(errors="replace") for path in files]
    notices = sorted(path for path in folder.iterdir() if path.is_file() and _NOTICE.match(path.name))
    names = sorted({name for text in texts if (name := recognize(text)) != UNKNOWN})
    whole = [*texts, *(path.read_text(errors="replace") for path in notices)]
    return Licence(" AND ".join(names) or UNKNOWN, "\n".join(text.strip() + "\n" for text in whole))


def recognize(text: str) -> str:
    """SPDX's name of a licence's text."""
    plain = " ".join(text.split())
    for name, words in _WORDS:
        if all(word.lower() in plain.lower() for word in words):
            return name
    return UNKNOWN


def write(target: Path, modules: dict[str, Path]) -> None:
    """Write what modules (path@version: folder) say."""
    found = {module: of_module(folder)._asdict() for module, folder in sorted(modules.items())}
    target.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


def read(folders: list[Path]) -> dict[str, Licence]:
    """What build folders have, by path@version."""
    found: dict[str, Licence] = {}
    for path in sorted(path for folder in folders for path in folder.glob(f"*{ENDING}")):
        found |= {module: Licence(**licence) for module, licence in json.loads(path.read_text()).items()}
    return found


def notices(licences: dict[str, Licence], present: set[str]) -> bytes:
    """The texts of the modules that are there, each text once with the modules that have it in front."""
    owners: dict[str, list[str]] = {}
    for module in sorted(present & licences.keys()):
        owners.setdefault(licences[module].text, []).append(f"{module} ({licences[module].name})")
    blocks = (f"==== {', '.join(modules)}\n{text}" for text, modules in owners.items() if text)
    return "\n".join(sorted(blocks)).encode()
