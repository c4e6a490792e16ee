"""Archives and images: packages read, trees written, byte for byte the same each time."""

import io
import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from driver import host_tools
from driver.cache import Cache
from driver.errors import TholeError
from rootfs import deb, pack
from rootfs.profile import USUAL_COMPRESSION
from rootfs.tree import Tree


def package(path, members):
    """A .deb with these (name, data or link target) members."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:xz") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                info.size, info.mode = len(content), 0o4755
                archive.addfile(info, io.BytesIO(content))
            else:
                info.type, info.linkname = content
                archive.addfile(info)

    def member(name, body):
        return (
            f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(body):<10}`\n".encode()
            + body
            + b"\n" * (len(body) % 2)
        )

    parts = [
        member("debian-binary", b"2.0\n"),
        member("control.tar.xz", b"abc"),
        member("data.tar.xz", data.getvalue()),
    ]
    path.write_bytes(b"!<arch>\n" + b"".join(parts))
    return path


def test_a_package_is_read_without_its_setuid_bits(tmp_path):
    path = package(
        tmp_path / "a.deb",
        [
            ("./usr/bin/a", b"data"),
            ("./usr/bin/b", (tarfile.LNKTYPE, "./usr/bin/a")),
            ("./usr/bin/c", (tarfile.SYMTYPE, "a")),
        ],
    )
    found = {member.path: member for member in deb.members(path)}
    assert (
        found["usr/bin/a"].mode == 0o755
        and found["usr/bin/b"].data == b"data"
        and found["usr/bin/c"].target == "a"
    )


def test_a_damaged_package_is_named(tmp_path):
    whole = package(tmp_path / "a.deb", [("./usr/bin/a", bytes(range(256)) * 64)]).read_bytes()
    for length in (4, 70, len(whole) // 2, len(whole) - 20):
        (tmp_path / "cut.deb").write_bytes(whole[:length])
        with pytest.raises(TholeError, match="cut.deb"):
            list(deb.members(tmp_path / "cut.deb"))


def sample() -> tuple[Tree, set[str]]:
    """A tree and the paths of its stable part; both parts have something in one directory."""
    tree = Tree()
    tree.file("usr/bin/big", b"thole " * 100_000, "package a", 0o755)
    tree.file("usr/lib/long" + "g" * 120, b"x", "package a")
    tree.link("bin", "usr/bin", "package a")
    stable = set(tree.entries)
    tree.file("usr/bin/init", b"\x7fELF" + bytes(5000), "init", 0o755)
    tree.file("etc/empty", b"", "skeleton", 0o600)
    tree.directory("var/lib/x", "profile", 0o750, uid=901, gid=902)
    return tree, stable


def archive_of(tree: Tree, epoch: int) -> io.BytesIO:
    stream = io.BytesIO()
    pack.write_tar([pack.TOP, *tree], stream, epoch)
    stream.seek(0)
    return stream


def test_an_archive_is_what_tar_reads():
    with tarfile.open(fileobj=archive_of(sample()[0], 7)) as archive:
        found = {info.name: info for info in archive}
    assert found["usr/bin/big"].size == 600_000 and found["usr/bin/big"].mtime == 7
    assert found["usr/share/thole/var/lib/x"].uid == 901 and found["bin"].linkname == "usr/bin"


def listing(folder) -> dict:
    found = {}
    for path in [folder, *folder.rglob("*")]:
        info = path.lstat()
        data = (
            path.read_bytes()
            if path.is_file() and not path.is_symlink()
            else path.is_symlink() and str(path.readlink())
        )
        found[path.relative_to(folder).as_posix()] = (oct(info.st_mode), data)
    return found


def test_an_image_holds_the_tree_and_is_the_same_each_time(tmp_path):
    """Two caches and two numbers of workers give one image; what is taken out of it is what went in."""
    tree, stable = sample()
    images = []
    for workers in (1, 2):
        image = tmp_path / f"{workers}.erofs"
        pack.Erofs(Cache(tmp_path / f"cache{workers}"), 0, USUAL_COMPRESSION, workers).write(tree, stable, image)
        images.append(image.read_bytes())
    assert images[0] == images[1]
    with tarfile.open(fileobj=archive_of(tree, 0)) as archive:
        archive.extractall(tmp_path / "tar", filter="tar")
    command = [
        *host_tools.tool("fsck.erofs"),
        f"--extract={tmp_path / 'image'}",
        "--no-preserve-owner",
        str(image),
    ]
    subprocess.run(command, check=True, capture_output=True)
    assert listing(tmp_path / "image") == listing(tmp_path / "tar")


def test_a_manifest_says_where_things_come_from(tmp_path):
    tree = Tree()
    tree.file("usr/bin/a", b"data", "package a", 0o755)
    (tmp_path / "i").write_bytes(b"image")
    pack.write_manifest(tree, {"profile": "x"}, "root.erofs", tmp_path / "i", tmp_path / "m")
    content = json.loads((tmp_path / "m").read_text())
    entry = next(item for item in content["files"] if item["path"] == "/usr/bin/a")
    assert entry["origin"] == "package a" and entry["mode"] == "0755" and entry["size"] == 4
    assert content["image"]["size"] == 5 and content["profile"] == "x"


def test_a_full_disk_is_said_in_words(tmp_path):
    """/dev/full stands for it."""
    tree, stable = sample()
    erofs = pack.Erofs(Cache(tmp_path / "cache"), 0, USUAL_COMPRESSION, 1)
    with pytest.raises(TholeError, match="mkfs.erofs made no /dev/full"):
        erofs._make_base(pack.with_parents(tree, stable), Path("/dev/full"))


def test_an_image_that_does_not_read_back_is_refused(tmp_path):
    tree, stable = sample()
    erofs = pack.Erofs(Cache(tmp_path / "cache"), 0, USUAL_COMPRESSION, 1)
    image = tmp_path / "root.erofs"
    erofs.write(tree, stable, image)
    data = bytearray(image.read_bytes())
    image.write_bytes(data[: len(data) // 2])
    with pytest.raises(TholeError, match="does not read back"):
        erofs._verify(image)
