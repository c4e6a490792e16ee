"""The reference pages in docs/ are what the node's binary prints."""

from __future__ import annotations

import pytest

from driver import reference


@pytest.mark.parametrize("page", sorted(reference.PAGES))
def test_page_is_what_the_binary_prints(page: str) -> None:
    """Made from the tables that read the files; never written by hand."""
    there = reference.place(page)
    assert there.is_file(), f"docs/{page} is not there: ./thole docs writes it"
    assert there.read_text() == reference.text(page), f"docs/{page} is stale: ./thole docs writes it anew"


def test_pages_are_listed() -> None:
    """A reader finds them."""
    contents = reference.place("README.md").read_text()
    for page in reference.PAGES:
        assert f"({page})" in contents
