"""How much of the init binary is the mesh: what each object and library gives to it, by the linker's own map."""

from __future__ import annotations

import re
import shlex
import subprocess
import tempfile
from pathlib import Path

from bench.supervisors import Results
from driver import toolchain
from driver.errors import TholeError
from driver.paths import TARGET

# As Meson names the objects, which lie in thin archives.
_PARTS = {
    "mesh": re.compile(r"\.\._services_wireguard_"),
    "commands": re.compile(r"/control_(mesh_command|mesh_client|ping)\.cpp\.o$"),
    "crypto": re.compile(r"libsodium"),
}
# ` .text.NAME  0xADDRESS  0xSIZE  FILE`; a long name stands on a line of its own before the rest.
_SECTION = re.compile(r"^ \.(?:text|rodata|data)\S*\s+0x[0-9a-f]+\s+0x([0-9a-f]+)\s+(\S+)$", re.MULTILINE)
_KEPT = "Linker script and memory map"


def measure(init: Path) -> Results:
    """Bytes of the binary as nodes have it, and of the mesh's daemon, its commands and its cryptography in it."""
    sizes = sections(link())
    found = {
        f"binary-{part}": sum(size for file, size in sizes.items() if pattern.search(file))
        for part, pattern in _PARTS.items()
    }
    if empty := [part for part, size in found.items() if not size]:
        raise TholeError(f"the linker's map names no file of {', '.join(empty)}", "mend _PARTS beside this check")
    return {"binary": init.stat().st_size, **found}


def link() -> str:
    """Link init's objects once more, without what nothing calls; the linker's map.

    Not by zig, which gives no map. The C and C++ libraries, which are zig's, are left out: the mesh is not in them.
    """
    ninja = [toolchain.ninja(), "-C", str(TARGET)]
    commands = subprocess.run([*ninja, "-t", "commands", "init/init"], capture_output=True, text=True, check=True)
    words = shlex.split(commands.stdout.strip().splitlines()[-1])
    objects = [word for word in words if word.endswith(".o") and word != "-o"]
    archives = [word for word in words if word.endswith(".a")]
    with tempfile.TemporaryDirectory(prefix="thole-bench-") as folder:
        place = Path(folder) / "map"
        done = subprocess.run(
            ["ld", "--gc-sections", "-e", "main", "--unresolved-symbols=ignore-all", "-Map", place,
             "-o", Path(folder) / "init", *objects, "--start-group", *archives, "--end-group"],
            cwd=TARGET, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise TholeError(f"init does not link again: {done.stderr.strip()[-1000:]}", "./thole build")
        return place.read_text()


def sections(text: str) -> dict[str, int]:
    """Bytes of code and data by file, of what a linker's map says was kept."""
    _, _, kept = text.partition(_KEPT)
    joined = re.sub(r"^( \.\S+)\n\s+", r"\1 ", kept, flags=re.MULTILINE)
    found: dict[str, int] = {}
    for size, file in _SECTION.findall(joined):
        found[file] = found.get(file, 0) + int(size, 16)
    return found
