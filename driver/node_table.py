"""A table of nodes (CSV): a line a node, a column a key of node.ini; and the files that it stands for."""

from __future__ import annotations

import csv
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from driver.cluster_folder import need_label, write_private
from driver.errors import TholeError

_EXAMPLE = "such as: name,network.address,kubernetes.role"
Row = dict[str, str]  # "section.key": value, without what is empty


def read(path: Path) -> list[Row]:
    """The rows, each with node.name. Errors name the line."""
    try:
        lines = list(csv.reader(path.read_text().splitlines(), skipinitialspace=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TholeError(f"the table {path} cannot be read: {error}") from None
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line and not line[0].startswith("#")]
    if len(numbered) < 2:
        raise TholeError(f"the table {path} has no nodes", f"a first line with keys, {_EXAMPLE}; then a line a node")
    columns = _columns(path, *numbered[0])
    rows: list[Row] = []
    for number, line in numbered[1:]:
        if len(line) != len(columns):
            raise TholeError(
                f"{path}:{number} has {len(line)} cells, its first line {len(columns)}",
                'a value with commas goes into double quotes: "10.0.0.1, 10.0.0.2"',
            )
        row = {key: cell.strip() for key, cell in zip(columns, line, strict=True) if cell.strip()}
        name = need_label(row.get("node.name", ""), f"the name of a node ({path}:{number})")
        if any(other["node.name"] == name for other in rows):
            raise TholeError(f"{path}:{number}: there are two nodes '{name}'", "names of nodes are their own")
        rows.append(row)
    return rows


def _columns(path: Path, number: int, cells: list[str]) -> list[str]:
    columns = ["node.name" if cell.strip() == "name" else cell.strip() for cell in cells]
    wrong = [column for column in columns if column.count(".") != 1 or not all(column.split("."))]
    if wrong or "node.name" not in columns or len(set(columns)) != len(columns):
        problem = f"'{wrong[0]}' is no key" if wrong else "a column 'name' once, and no key twice, are needed"
        raise TholeError(f"{path}:{number}: {problem}", f"keys are written section.key, {_EXAMPLE}")
    return columns


def node_file(shared: str, common: str, row: Row) -> str:
    """A node.ini: what all nodes of the cluster have, what `common` says for all in the table, and the row."""
    sections: dict[str, Row] = {}
    for text in (shared, common):
        for key, value in _entries(text):
            section, _, name = key.partition(".")
            sections.setdefault(section, {})[name] = value
    for key, value in row.items():
        section, _, name = key.partition(".")
        sections.setdefault(section, {})[name] = value
    blocks = [
        f"[{section}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for section, entries in sections.items()
    ]
    return "\n".join(blocks)


def _entries(text: str) -> list[tuple[str, str]]:
    """Keys and values of a node.ini; a line that begins with blanks goes on with the value above."""
    found: list[tuple[str, str]] = []
    section = ""
    for line in text.splitlines():
        plain = line.strip()
        if not plain or plain.startswith(("#", ";")):
            continue
        if plain.startswith("["):
            section = plain.strip("[]").strip()
        elif line[0].isspace() and found:
            found[-1] = (found[-1][0], f"{found[-1][1]} {plain}")
        else:
            name, _, value = plain.partition("=")
            found.append((f"{section}.{name.strip()}", value.strip()))
    return found


def write(folder: Path, shared: str, common: str, rows: list[Row], check: Callable[[Path], object]) -> list[Path]:
    """NAME.ini of each row in the folder. All of them are right, or none is written; none is overwritten."""
    targets = [folder / f"{row['node.name']}.ini" for row in rows]
    for target in targets:
        if target.exists():
            raise TholeError(f"{target} is there already, and nothing was written", "remove it, or take it off the table")
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        for row, target in zip(rows, targets, strict=True):
            draft = Path(scratch) / target.name
            write_private(draft, node_file(shared, common, row))
            check(draft)
        for target in targets:
            os.rename(Path(scratch) / target.name, target)
    return targets
