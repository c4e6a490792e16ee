"""The container image: its parts by the OCI image specification, the same bytes each time, layers by rate of change."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from driver.errors import TholeError
from image import layers, oci

LARGE = bytes(layers.LARGE)
FILES = {
    "usr/bin/tool": ("package tool", b"a tool"),
    "usr/bin/kubernetes": ("service kubernetes", LARGE),
    "usr/lib/thole/units/kubelet.unit": ("service kubernetes", b"[unit]\n"),
    "sbin/init": ("init", b"\x7fELF"),
    "etc/group": ("composer", b"root:x:0:\n"),
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root file system as rootfs/compose.py leaves it: an archive with its manifest beside it."""
    tree = tmp_path / "root.tar"
    folders = sorted({folder for path in FILES for folder in layers.parents(path)})
    with tarfile.open(tree, "w") as archive:
        for name in [".", *folders]:
            info = tarfile.TarInfo(name)
            info.type, info.mode = tarfile.DIRTYPE, 0o700 if name == "etc" else 0o755
            archive.addfile(info)
        for name, (_, content) in FILES.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o755
            archive.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("usr/bin/thole")
        link.type, link.linkname = tarfile.SYMTYPE, "/sbin/init"
        archive.addfile(link)
    listed = [{"path": f"/{name}", "origin": origin} for name, (origin, _) in FILES.items()]
    listed.append({"path": "/usr/bin/thole", "origin": "init"})
    (tmp_path / "root.manifest.json").write_text(json.dumps({"profile": "kubernetes,slurm", "files": listed}))
    return tree


def made(root: Path, out: Path) -> Path:
    """The image's layout."""
    oci.make(root, out, "oci", "amd64", "1.2.3")
    return out / "oci"


def blob(layout: Path, descriptor: dict[str, Any]) -> bytes:
    """What a descriptor names, which must be as large as it says and have its sum."""
    content = (layout / "blobs" / "sha256" / descriptor["digest"].removeprefix("sha256:")).read_bytes()
    assert len(content) == descriptor["size"]
    assert f"sha256:{hashlib.sha256(content).hexdigest()}" == descriptor["digest"]
    return content


def parts(layout: Path) -> tuple[dict[str, Any], list[tarfile.TarFile]]:
    """The image's configuration and its layers, found as an engine finds them."""
    assert json.loads((layout / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    (entry,) = json.loads((layout / "index.json").read_text())["manifests"]
    manifest = json.loads(blob(layout, entry))
    config = json.loads(blob(layout, manifest["config"]))
    found = []
    for descriptor, diff_id in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True):
        plain = gzip.decompress(blob(layout, descriptor))
        assert f"sha256:{hashlib.sha256(plain).hexdigest()}" == diff_id
        found.append(tarfile.open(fileobj=io.BytesIO(plain)))
    return config, found


def test_layers_by_rate_of_change(root: Path, tmp_path: Path) -> None:
    """Packages, then large programs, then the node itself; each with the folders above its files, as they are."""
    _, found = parts(made(root, tmp_path / "out"))
    files = [{one.name for one in layer if not one.isdir()} for layer in found]
    assert files == [
        {"usr/bin/tool"},
        {"usr/bin/kubernetes"},
        {"usr/lib/thole/units/kubelet.unit", "sbin/init", "etc/group", "usr/bin/thole"},
    ]
    node = {one.name: one for one in found[2]}
    assert node["etc"].isdir() and node["etc"].mode == 0o700
    assert node["usr/bin/thole"].linkname == "/sbin/init"
    for layer in found:
        seen: set[str] = set()
        for one in layer:
            assert all(folder in seen for folder in layers.parents(one.name)), one.name
            assert one.name not in seen, f"{one.name} is there twice"
            seen.add(one.name)


def test_how_it_runs(root: Path, tmp_path: Path) -> None:
    """What engines read: the init, its signal, the volume, the health check."""
    config, _ = parts(made(root, tmp_path / "out"))
    assert (config["architecture"], config["os"]) == ("amd64", "linux")
    ran = config["config"]
    assert ran["Entrypoint"] == ["/sbin/init"] and "Cmd" not in ran
    assert ran["StopSignal"] == "SIGTERM"
    assert ran["Volumes"] == {"/var": {}}
    assert ran["Healthcheck"]["Test"] == ["CMD", "/usr/bin/thole", "health"]
    assert ran["Labels"]["org.opencontainers.image.version"] == "1.2.3"
    assert not [one for one in ran["Env"] if "SECRET" in one.upper()]


def test_the_archive_is_for_docker_too(root: Path, tmp_path: Path) -> None:
    """manifest.json names the same configuration and layers as the layout's own index."""
    layout = made(root, tmp_path / "out")
    with tarfile.open(tmp_path / "out" / "oci.tar") as archive:
        names = archive.getnames()
        (docker,) = json.load(archive.extractfile("manifest.json"))  # type: ignore[arg-type]
    assert {"oci-layout", "index.json", *docker["Layers"], docker["Config"]} <= set(names)
    assert docker["RepoTags"] == ["localhost/thole/node:kubernetes-slurm"]
    (entry,) = json.loads((layout / "index.json").read_text())["manifests"]
    manifest = json.loads(blob(layout, entry))
    assert [f"blobs/sha256/{one['digest'][7:]}" for one in manifest["layers"]] == docker["Layers"]


def test_the_same_root_gives_the_same_bytes(root: Path, tmp_path: Path) -> None:
    """Wherever and whenever it is made."""
    first, second = tmp_path / "one", tmp_path / "a" / "longer" / "path"
    made(root, first)
    made(root, second)
    made(root, second)  # over what is there
    assert (first / "oci.tar").read_bytes() == (second / "oci.tar").read_bytes()
    assert sorted(one.name for one in second.iterdir()) == ["oci", "oci.tar"]


def test_a_change_of_the_node_leaves_the_other_layers(root: Path, tmp_path: Path) -> None:
    """A new init is a new last layer alone."""
    before, _ = parts(made(root, tmp_path / "one"))
    content = FILES["sbin/init"][1]
    whole = root.read_bytes()
    assert whole.count(content) == 1
    root.write_bytes(whole.replace(content, b"\x7fELG"))
    after, _ = parts(made(root, tmp_path / "two"))
    same = [
        one == other
        for one, other in zip(before["rootfs"]["diff_ids"], after["rootfs"]["diff_ids"], strict=True)
    ]
    assert same == [True, True, False]


def test_a_root_without_its_manifest_is_refused(root: Path, tmp_path: Path) -> None:
    """And leaves nothing behind."""
    root.with_suffix(".manifest.json").unlink()
    with pytest.raises(TholeError, match=r"root\.manifest\.json is not there"):
        made(root, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_file_of_unknown_origin_is_refused(root: Path, tmp_path: Path) -> None:
    """Root and manifest that are not of one build."""
    manifest = root.with_suffix(".manifest.json")
    known = json.loads(manifest.read_text())
    known["files"] = [one for one in known["files"] if one["path"] != "/etc/group"]
    manifest.write_text(json.dumps(known))
    with pytest.raises(TholeError, match=r"etc/group is in the root file system, but not in its manifest"):
        made(root, tmp_path / "out")
