"""Our C++ is formatted as .clang-format says."""

from __future__ import annotations

from driver import tidy
from driver.build import CLANG


def test_clang_format() -> None:
    """clang-format would change nothing."""
    said = tidy.misformatted()
    assert not said, f"{said}\nclang-format-{CLANG} -i FILE... puts it right"
