"""The bill of materials, and who answers for each file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from driver.errors import TholeError
from rootfs import go_build_info, owners, programs, sbom
from rootfs.patterns import Patterns
from rootfs.profile import Package, Profile
from rootfs.tree import Content, Tree
from services.images import oci

DEP5 = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Files: *
License: GPL-2+

Files: lib/*
License: Expat
"""


def text(value: bytes) -> bytes:
    """Behind its length, as Go writes it."""
    size, out = len(value), b""
    while size >= 0x80:
        out += bytes([size & 0x7F | 0x80])
        size >>= 7
    return out + bytes([size]) + value


def program(lines: str) -> bytes:
    """As much of a Go program as says what it was built of."""
    head = b"\xff Go buildinf:" + bytes([8, 2])
    listed = b"s" * 16 + lines.encode() + b"e" * 16
    start = b"\x7fELF" + b"\xff Go buildinf:" + bytes(3)  # the text, somewhere in a program
    return start.ljust(64, b"\0") + head.ljust(32, b"\0") + text(b"go1.26.1") + text(listed)


MODULES = (
    "path\tx\nmod\tthole/x\t(devel)\t\ndep\texample.org/a\tv1.2.0\th1:sum\ndep\texample.org/b\tv0.1.0\n"
    "=>\t./changed/b\t(devel)\t\ndep\texample.org/c\tv0.0.1\n" + "dep\texample.org/padding\tv1.0.0\n" * 20
)


def test_a_go_program_says_what_it_is_made_of() -> None:
    """Modules with what replaced them; the header is found behind a text like it."""
    found = go_build_info.read(program(MODULES))
    assert found is not None and found.go == "go1.26.1"
    assert found.modules[:3] == [
        ("example.org/a", "v1.2.0"), ("example.org/b", "v0.1.0"), ("example.org/c", "v0.0.1"),
    ]  # fmt: skip


@pytest.mark.parametrize("data", [b"", b"\x7fELF" * 100, b"\xff Go buildinf:" + bytes([8, 0]) + bytes(100)])
def test_other_programs_do_not(data: bytes) -> None:
    """None, and no error."""
    assert go_build_info.read(data) is None


def tree() -> Tree:
    """A package's file, a Go program of ours, and init."""
    made = Tree()
    made.file("usr/bin/tool", b"\x7fELF", "package tool", 0o755)
    made.file("usr/bin/gopher", program(MODULES), "service gophers", 0o755)
    made.file("etc/text", b"text", "skeleton")
    return made


def test_the_bill_of_materials() -> None:
    """Each package and module once, the same bytes each time."""
    notices = {"tool": Content.of(DEP5)}
    made = sbom.document(tree(), "base", "amd64", {"tool": "1:2.0-1"}, notices)
    assert made == sbom.document(tree(), "base", "amd64", {"tool": "1:2.0-1"}, notices)
    whole = json.loads(made)
    packages = {one["name"]: one for one in whole["packages"]}
    assert packages["tool"]["externalRefs"][0]["referenceLocator"] == "pkg:deb/debian/tool@1%3A2.0-1?arch=amd64"
    assert packages["tool"]["licenseComments"] == "its copyright file names: GPL-2.0-or-later, MIT"
    assert packages["example.org/a"]["versionInfo"] == "v1.2.0"
    assert packages["example.org/a"]["comment"] == "in /usr/bin/gopher"
    assert packages["stdlib"]["versionInfo"] == "1.26.1"
    identities = [one["SPDXID"] for one in whole["packages"]]
    assert len(identities) == len(set(identities))
    contained = {one["relatedSpdxElement"] for one in whole["relationships"] if one["relationshipType"] == "CONTAINS"}
    assert contained == set(identities) - {"SPDXRef-Root"}


def test_programs_in_container_images_count(tmp_path: Path) -> None:
    """Those of an archive that comes with the root: a layer in it is an archive, too."""
    binary = tmp_path / "server"
    binary.write_bytes(program(MODULES))
    oci.write(oci.Image("example.org/server:1", {"/bin/server": binary}, ["/bin/server"]), tmp_path / "server.tar")
    root = Tree()
    root.file("usr/share/images/server.tar", tmp_path / "server.tar", "service images")
    assert [one.place for one in programs.every(root)] == ["/usr/share/images/server.tar:/bin/server"]
    listed = json.loads(sbom.document(root, "test", "amd64", {}, {}))["packages"]
    assert any(one["name"] == "example.org/a" and "server.tar:/bin/server" in one["comment"] for one in listed)


def test_each_file_has_an_owner_with_a_reason() -> None:
    """And one that nobody has given a reason ends the build."""
    profile = Profile("base", "amd64")
    profile.packages["tool"] = Package("tool", "somebody\nneeds it", Patterns([]), Patterns([]))
    shown = owners.table(tree(), profile)
    assert "package tool: 4 bytes; somebody needs it\n             4 * /usr/bin/tool\n" in shown
    assert "             4   /etc/text\n" in shown
    assert owners.executables(tree()) == 2
    strange = tree()
    strange.file("etc/strange", b"", "nowhere")
    with pytest.raises(TholeError, match="nobody says why"):
        owners.table(strange, profile)


def test_the_image_has_it(request: pytest.FixtureRequest) -> None:
    """Beside the image as well, and every path of the manifest is in the table of owners."""
    build = Path(request.config.getoption("--build")) / "rootfs"
    if not (build / "root.spdx.json").exists():
        pytest.skip("nothing is built")
    manifest = json.loads((build / "root.manifest.json").read_text())
    files = {one["path"]: one for one in manifest["files"] if one["kind"] == "file"}
    assert f"/{sbom.PLACE}" in files
    shown = (build / "root.owners.txt").read_text()
    assert [path for path in files if f" {path}\n" not in shown] == []
    names = [one["name"] for one in json.loads((build / "root.spdx.json").read_text())["packages"]]
    # No folder of the machine that built it.
    assert [name for name in names if name.startswith("/") and name not in files] == []
