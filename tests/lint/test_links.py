"""Links from one page of the repository to another lead somewhere."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def pages() -> list[Path]:
    """Every page that git has or would take."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=CHECKOUT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [CHECKOUT / name for name in listed.stdout.splitlines()]


def test_links_between_pages() -> None:
    found = [(page, match[1]) for page in pages() for match in _LINK.finditer(page.read_text())]
    assert found, "no page links to another"
    broken = [
        f"{page.relative_to(CHECKOUT)}: {target}"
        for page, target in found
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert not broken, "these lead nowhere:\n" + "\n".join(broken)
