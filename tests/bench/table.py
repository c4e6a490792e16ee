"""The figures as Markdown tables: a line a measurement, a column a peer, the best of a line in bold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

Value = float | str
BEGIN, END = "<!-- bench {}: begin -->", "<!-- bench {}: end -->"


class Line(NamedTuple):
    """One measurement: its key in the results, its text, how many digits its figures have, and what is best."""

    key: str
    text: str
    digits: int = 0
    high: bool = False  # the highest figure is the best, not the lowest

    def rank(self, value: float) -> float:
        """The better the lower."""
        shown = round(value, self.digits)
        return -shown if self.high else shown


class Notes:
    """Reasons for missing figures, numbered in the order in which they come."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def mark(self, text: str) -> str:
        """The number of a note."""
        if text not in self.texts:
            self.texts.append(text)
        return f"[{self.texts.index(text) + 1}]"

    def lines(self) -> list[str]:
        """All notes."""
        return [f"- [{number}] {text}" for number, text in enumerate(self.texts, 1)]


def number(value: float, digits: int) -> str:
    """With thousands separated; small figures keep three significant digits."""
    if digits == 0:
        return f"{value:,.0f}"
    return f"{value:,.{digits}f}" if abs(value) < 100 else f"{value:,.0f}"


def best_of(values: Sequence[Value | None], line: Line) -> float | None:
    """The rank of the best figure, where there are two or more to compare."""
    ranks = [line.rank(value) for value in values if isinstance(value, float | int)]
    return min(ranks) if len(ranks) > 1 else None


def render(columns: Sequence[str], lines: Sequence[Line], results: Mapping[str, Mapping[str, Value]],
           notes: Notes, mark: bool = True) -> list[str]:  # fmt: skip
    """A table; a text in place of a figure says why there is none, and becomes a note. `mark` the best of a line."""
    rows = [["", *columns]]
    for line in lines:
        values = [results.get(column, {}).get(line.key) for column in columns]
        best = best_of(values, line) if mark else None
        cells = []
        for value in values:
            if value is None:
                cells.append("")
            elif isinstance(value, str):
                cells.append(f"- {notes.mark(value)}")
            else:
                text = number(value, line.digits)
                cells.append(f"**{text}**" if best is not None and line.rank(value) == best else text)
        rows.append([line.text, *cells])
    return align(rows)


def align(rows: Sequence[Sequence[str]]) -> list[str]:
    """Markdown with columns of one width; the first to the left, the others to the right."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]

    def text(row: Sequence[str]) -> str:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]
        return f"| {' | '.join(cells)} |"

    ruler = [f"{'-' * widths[0]}", *(f"{'-' * (width - 1)}:" for width in widths[1:])]
    return [text(rows[0]), f"| {' | '.join(ruler)} |", *(text(row) for row in rows[1:])]


def behind(column: str, columns: Sequence[str], lines: Sequence[Line],
           results: Mapping[str, Mapping[str, Value]]) -> list[str]:  # fmt: skip
    """The lines in which a column is not first, with who is."""
    found = []
    for line in lines:
        own = results.get(column, {}).get(line.key)
        others = {name: results.get(name, {}).get(line.key) for name in columns}
        figures = {name: value for name, value in others.items() if isinstance(value, float | int)}
        if not isinstance(own, float | int) or len(figures) < 2:
            continue
        first = min(figures, key=lambda name, line=line, figures=figures: line.rank(figures[name]))
        if line.rank(figures[first]) < line.rank(own):
            found.append(f"{line.text}: {first} {number(figures[first], line.digits)}, "
                         f"{column} {number(own, line.digits)}")  # fmt: skip
    return found


def replace_block(document: str, block: str, name: str = "init") -> str:
    """The document with what lies between the two markers of that name replaced."""
    first, last = BEGIN.format(name), END.format(name)
    before, begin, rest = document.partition(first)
    _, end, after = rest.partition(last)
    if not begin or not end:
        raise ValueError(f"the document has no {first} ... {last}")
    return f"{before}{first}\n{block.strip()}\n{last}{after}"
