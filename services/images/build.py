#!/usr/bin/env python3
"""Builds the images that a node has without a network: pause, CoreDNS, the demo web server, and volumes' helper."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

from driver import toolchain  # noqa: E402
from driver.cache import Cache, digest, file_sha256  # noqa: E402
from driver.errors import TholeError, guard  # noqa: E402
from driver.progress import report  # noqa: E402
from services import go_build, go_licences  # noqa: E402
from services.images import oci  # noqa: E402

_SMALL_FLAGS = [
    "-std=c++23", "-Os", "-static", "-fno-exceptions", "-fno-rtti", "-nostdlib++", "-Wall", "-Wextra", "-Werror", "-s",
    "-Wl,--gc-sections", "-Wl,-z,norelro", "-Wl,--build-id=none",
]
# The distroless images' "nonroot".
_NOBODY = "65532:65532"


def coredns() -> go_build.Module:
    """The DNS server's module."""
    number = go_build.version("images", "coredns")
    return go_build.Module(
        "images", HERE / "coredns", {"coredns": "."}, pinned={"github.com/coredns/coredns": number}
    )


def demo() -> go_build.Module:
    """The demo program's module."""
    return go_build.Module("images", HERE / "demo", {"demo": "."})


def build_small(name: str, architecture: str, out: Path) -> Path:
    """Compile NAME/NAME.cpp, statically and without a C++ library."""
    source = HERE / name / f"{name}.cpp"
    flags = ["-target", f"{architecture}-linux-musl", *_SMALL_FLAGS]

    def make(directory: Path) -> None:
        report("images", 0, 0, name)
        command = [toolchain.zig(), "c++", *flags, str(source), "-o", str(directory / name)]
        environment = {**os.environ, **toolchain.zig_environment()}
        result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise TholeError(f"compiling {source} failed:\n{result.stderr.strip()}", "mend the source, build again")

    place = Cache().entry(name, digest(source, *flags, toolchain.venv_key()), make)
    go_build.install({name: place / name}, out)
    return source


def images(architecture: str, binaries: Path) -> dict[str, oci.Image]:
    """The images by the names of their archives."""
    names = {name: go_build.version("images", name) for name in ("coredns", "pause", "demo", "volume")}
    goarch = go_build.ARCHITECTURES[architecture]
    return {
        "coredns.tar": oci.Image(
            f"registry.k8s.io/coredns/coredns:v{names['coredns']}", {"/coredns": binaries / "coredns"}, ["/coredns"],
            user=_NOBODY, architecture=goarch,
        ),
        "demo.tar": oci.Image(
            f"localhost/thole/demo:{names['demo']}", {"/demo": binaries / "demo"}, ["/demo"], ["serve"],
            architecture=goarch,
        ),
        "pause.tar": oci.Image(
            f"registry.k8s.io/pause:{names['pause']}", {"/pause": binaries / "pause"}, ["/pause"],
            user="65535:65535", architecture=goarch,
        ),
        "volume.tar": oci.Image(
            f"localhost/thole/volume:{names['volume']}", {"/volume": binaries / "volume"}, ["/volume"],
            architecture=goarch,
        ),
    }


def main() -> int:
    """Build the programs, write the archives and the digest of the set, by which a node knows what it has imported."""
    options = go_build.arguments(__doc__)
    with tempfile.TemporaryDirectory() as scratch:
        binaries, archives = Path(scratch, "binaries"), Path(scratch, "archives")
        archives.mkdir()
        read = [build_small(name, options.arch, binaries) for name in ("pause", "volume")]
        for module in (demo(), coredns()):
            read += go_build.build(module, options.arch, binaries)
        sums = []
        for name, image in images(options.arch, binaries).items():
            oci.write(image, archives / name)
            sums.append(f"{file_sha256(archives / name)}  {name}\n")
        (archives / "digest").write_text("".join(sorted(sums)))
        for path in binaries.glob(f"*{go_licences.ENDING}"):
            shutil.copyfile(path, archives / path.name)
        go_build.install({path.name: path for path in sorted(archives.iterdir())}, options.out)
    if options.depfile:
        read += [Path(__file__), Path(oci.__file__)]
        go_build.write_depfile(options.depfile, options.out / "coredns.tar", read)
    return 0


if __name__ == "__main__":
    sys.exit(guard(main))
