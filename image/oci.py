#!/usr/bin/env python3
"""Makes a container image of a root file system: an OCI layout, and the same as an archive that engines load.

The archive is an OCI image layout (OCI image specification, image-layout.md) with Docker's manifest.json beside it:
`docker load`, `podman load`, `ctr images import` and skopeo take it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
import tarfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from driver.errors import TholeError, guard  # noqa: E402
from driver.progress import report  # noqa: E402
from image.layers import ORDER, Layer, origins, write_layer  # noqa: E402

_MEDIA = "application/vnd.oci.image"
_EPOCH = "1970-01-01T00:00:00Z"
REPOSITORY = "localhost/thole/node"
SECOND = 1_000_000_000  # Docker's unit of time


def container_config(profile: str, version: str) -> dict[str, Any]:
    """How the image runs: docs/container.md says what each means for a person."""
    return {
        "Entrypoint": ["/sbin/init"],
        "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "container=oci"],
        "WorkingDir": "/",
        "StopSignal": "SIGTERM",
        "Volumes": {"/var": {}},
        "Healthcheck": {
            "Test": ["CMD", "/usr/bin/thole", "health"],
            "Interval": 10 * SECOND,
            "Timeout": 5 * SECOND,
            "StartPeriod": 300 * SECOND,
            "Retries": 3,
        },
        "Labels": {
            "org.opencontainers.image.title": f"thole ({profile})",
            "org.opencontainers.image.version": version,
            "org.opencontainers.image.licenses": "Apache-2.0",
        },
    }


def to_json(value: object) -> bytes:
    """The same bytes for the same value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


class Layout:
    """A folder in the form of an OCI image layout."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.blobs = folder / "blobs" / "sha256"
        self.blobs.mkdir(parents=True)
        (folder / "oci-layout").write_bytes(to_json({"imageLayoutVersion": "1.0.0"}))

    def add(self, kind: str, content: bytes) -> dict[str, Any]:
        """Keep a blob; its descriptor."""
        digest = hashlib.sha256(content).hexdigest()
        (self.blobs / digest).write_bytes(content)
        return {"mediaType": f"{_MEDIA}.{kind}", "digest": f"sha256:{digest}", "size": len(content)}

    def add_layer(self, layer: Layer) -> dict[str, Any]:
        """Take a layer's file in; its descriptor."""
        layer.path.replace(self.blobs / layer.digest)
        return {
            "mediaType": f"{_MEDIA}.layer.v1.tar+gzip",
            "digest": f"sha256:{layer.digest}",
            "size": layer.size,
        }


def write_layout(folder: Path, layers: list[Layer], config: dict[str, Any], arch: str, name: str) -> None:
    """The image's layout out of its layers."""
    layout = Layout(folder)
    image = {
        "architecture": arch,
        "os": "linux",
        "created": _EPOCH,
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer.diff_id}" for layer in layers]},
        "history": [{"created": _EPOCH, "created_by": "thole", "comment": layer.what} for layer in layers],
    }
    described = layout.add("config.v1+json", to_json(image))
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{_MEDIA}.manifest.v1+json",
        "config": described,
        "layers": [layout.add_layer(layer) for layer in layers],
    }
    entry = {
        **layout.add("manifest.v1+json", to_json(manifest)),
        "platform": {"architecture": arch, "os": "linux"},
        "annotations": {
            "io.containerd.image.name": name,
            "org.opencontainers.image.ref.name": name.rpartition(":")[2],
        },
    }
    index = {"schemaVersion": 2, "mediaType": f"{_MEDIA}.index.v1+json", "manifests": [entry]}
    (folder / "index.json").write_bytes(to_json(index))
    blob = "blobs/sha256/{}".format
    docker = [
        {
            "Config": blob(described["digest"].partition(":")[2]),
            "RepoTags": [name],
            "Layers": [blob(layer.digest) for layer in layers],
        }
    ]
    (folder / "manifest.json").write_bytes(to_json(docker))


def write_archive(folder: Path, target: Path) -> None:
    """The layout as one tar: names in order, no owner and no time."""
    part = target.with_name(target.name + ".part")
    with tarfile.open(part, "w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(folder.rglob("*")):
            info = tarfile.TarInfo(path.relative_to(folder).as_posix())
            if path.is_dir():
                info.type, info.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(info)
                continue
            info.size, info.mode = path.stat().st_size, 0o644
            with path.open("rb") as file:
                archive.addfile(info, file)
    part.replace(target)


def make(tree: Path, out: Path, name: str, arch: str, version: str) -> Path:
    """The layout `out`/NAME and the archive `out`/NAME.tar of the root file system `tree`, which has its manifest
    beside it."""
    manifest = tree.with_suffix(".manifest.json")
    for path in (tree, manifest):
        if not path.is_file():
            raise TholeError(f"{path} is not there", "./thole build makes it")
    origin = origins(manifest)
    profile = str(json.loads(manifest.read_text())["profile"])
    work = out / f"{name}.new"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    layers = []
    for number, what in enumerate(ORDER):
        report("oci image", number, len(ORDER), what)
        layers.append(write_layer(tree, origin, what, work.with_name(f"{name}-{number}.layer")))
    reference = f"{REPOSITORY}:{profile.replace(',', '-')}"
    write_layout(work, layers, container_config(profile, version), arch, reference)
    write_archive(work, out / f"{name}.tar")
    shutil.rmtree(out / name, ignore_errors=True)
    work.replace(out / name)
    return out / f"{name}.tar"


def main() -> int:
    """Make it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", required=True, type=Path, help="root.tar, with root.manifest.json beside it")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--name", default="oci", help="of the folder and, with .tar, of the archive there")
    parser.add_argument("--arch", default="amd64", choices=["amd64", "arm64"])
    parser.add_argument("--version", required=True)
    options = parser.parse_args()
    make(options.root, options.out, options.name, options.arch, options.version)
    return 0


if __name__ == "__main__":
    sys.exit(guard(main))
