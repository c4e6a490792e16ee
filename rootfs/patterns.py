"""Path patterns: `*` and `?` stay within one component, `**` crosses them, `[...]` is a character class."""

from __future__ import annotations

import functools
import re


@functools.cache
def compiled(pattern: str) -> re.Pattern[str]:
    """The regular expression of a pattern; it has to match a whole path without the slash in front."""
    out, rest = [], pattern.lstrip("/")
    while rest:
        bracket = re.match(r"\[(!?)([^\]/]+)\]", rest)
        if rest.startswith("**"):
            out.append(".*")
            rest = rest[2:]
        elif bracket:
            out.append(f"[{'^' if bracket[1] else ''}{bracket[2]}]")
            rest = rest[bracket.end() :]
        else:
            out.append({"*": "[^/]*", "?": "[^/]"}.get(rest[0]) or re.escape(rest[0]))
            rest = rest[1:]
    return re.compile("".join(out))


def matches(pattern: str, path: str) -> bool:
    """Whether a pattern fits a whole path."""
    return compiled(pattern).fullmatch(path) is not None


class Patterns:
    """A list of patterns that remembers which of them fitted anything: one that never does is out of date."""

    def __init__(self, patterns: list[str]) -> None:
        self.patterns = patterns
        self._used: set[str] = set()

    def match(self, path: str) -> bool:
        """Whether any pattern fits; all that do count as used."""
        fitting = [pattern for pattern in self.patterns if matches(pattern, path)]
        self._used.update(fitting)
        return bool(fitting)

    def unused(self) -> list[str]:
        """Patterns that fitted no path yet."""
        return [pattern for pattern in self.patterns if pattern not in self._used]
