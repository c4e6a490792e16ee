"""The firewall's rules, made by the node's binary and put in force by the image's nft: which packets pass, in namespaces."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from qemu.artifacts import one

SCENE = Path(__file__).with_name("scene.py")
NODE_INI = "[firewall]\nallow = tcp/6443, udp/8472\n"


@pytest.fixture
def tree(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """nft and its libraries from the image, the binary, and a node.ini."""
    build: Path = request.config.getoption("--build")
    root = tmp_path / "root"
    with tarfile.open(one(build, "root.tar")) as archive:
        for member in archive:
            name = member.name.removeprefix("./")
            wanted = name == "usr/sbin/nft" or name.startswith(("usr/lib64", "usr/lib/x86_64-linux-gnu/"))
            if wanted or (member.issym() and "/" not in name):
                archive.extract(member, root, filter="tar")
    (root / "usr/lib/thole").mkdir(parents=True, exist_ok=True)
    (root / "usr/lib/thole/node.ini").write_text(NODE_INI)
    shutil.copy2(one(build, "init"), root / "usr/sbin/init")
    return root


def test_packets(tree: Path) -> None:
    """What comes in, what goes through, and that rules take the place of rules at once."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, str(SCENE), str(tree)], capture_output=True, text=True, timeout=120, check=False, env=environment
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
