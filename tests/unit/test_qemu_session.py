"""One folder, one node at a time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from driver.errors import TholeError
from qemu.session import Session, folder_of


def test_a_second_node_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    with Session(tmp_path / "node"):
        with (
            pytest.raises(TholeError, match=rf"already runs from .*pid {os.getpid()}(.|\n)*--name"),
            Session(tmp_path / "node"),
        ):
            pass
    with Session(tmp_path / "node"):
        pass


def test_the_kubeconfig_ends_with_the_node(tmp_path: Path) -> None:
    with Session(tmp_path / "node") as session:
        session.kubeconfig.write_text("secret")
    assert not session.kubeconfig.exists()


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden"])
def test_names_that_are_no_folder(name: str) -> None:
    with pytest.raises(TholeError, match="is no name"):
        folder_of(name)
