"""Writes OCI image archives: one uncompressed layer, one manifest, the same bytes for the same content."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

_MEDIA = "application/vnd.oci.image"
_EPOCH = "1970-01-01T00:00:00Z"


@dataclass
class Image:
    """What an image is named, holds and runs. `files`: path in the image to a file or its content."""

    name: str
    files: dict[str, Path | bytes]
    entrypoint: list[str]
    command: list[str] = field(default_factory=list)
    user: str = ""
    architecture: str = "amd64"


def write(image: Image, target: Path) -> None:
    """Write the image as an OCI archive that `ctr images import` and `docker load` take."""
    layer = _layer(image)
    layer_digest = _digest(layer)
    config = _json({
        "architecture": image.architecture,
        "os": "linux",
        "created": _EPOCH,
        "config": _config(image),
        "rootfs": {"type": "layers", "diff_ids": [layer_digest]},
        "history": [{"created": _EPOCH, "created_by": "thole"}],
    })
    manifest = _json({
        "schemaVersion": 2,
        "mediaType": f"{_MEDIA}.manifest.v1+json",
        "config": _descriptor("config.v1+json", config),
        # Not compressed: the root file system compresses it once more, and a node that unpacks it saves the work.
        "layers": [_descriptor("layer.v1.tar", layer)],
    })
    index = _json({
        "schemaVersion": 2,
        "mediaType": f"{_MEDIA}.index.v1+json",
        "manifests": [{
            **_descriptor("manifest.v1+json", manifest),
            "platform": {"architecture": image.architecture, "os": "linux"},
            "annotations": {
                "io.containerd.image.name": image.name,
                "org.opencontainers.image.ref.name": image.name.rpartition(":")[2],
            },
        }],
    })
    files = {"oci-layout": _json({"imageLayoutVersion": "1.0.0"}), "index.json": index}
    files |= {f"blobs/sha256/{_digest(blob)[7:]}": blob for blob in (manifest, config, layer)}
    with tarfile.open(target, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files.items():
            _add(archive, name, content, 0o644)


def _config(image: Image) -> dict[str, object]:
    config: dict[str, object] = {
        "Entrypoint": image.entrypoint,
        "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin:/"],
        "WorkingDir": "/",
    }
    if image.command:
        config["Cmd"] = image.command
    if image.user:
        config["User"] = image.user
    return config


def _layer(image: Image) -> bytes:
    """The layer's tar: folders before what lies in them, programs executable."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for folder in sorted({str(parent) for path in image.files for parent in Path(path).parents} - {"/", "."}):
            _add(archive, folder.lstrip("/"), None, 0o755)
        for path, source in sorted(image.files.items()):
            content = source if isinstance(source, bytes) else source.read_bytes()
            _add(archive, path.lstrip("/"), content, 0o644 if isinstance(source, bytes) else 0o755)
    return stream.getvalue()


def _add(archive: tarfile.TarFile, name: str, content: bytes | None, mode: int) -> None:
    """Add a file, or a folder where there is no content; owner root, time 0."""
    entry = tarfile.TarInfo(name)
    entry.mode = mode
    if content is None:
        entry.type = tarfile.DIRTYPE
        archive.addfile(entry)
    else:
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def _descriptor(kind: str, blob: bytes) -> dict[str, object]:
    return {"mediaType": f"{_MEDIA}.{kind}", "digest": _digest(blob), "size": len(blob)}
