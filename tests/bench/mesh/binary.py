"""How much of the init binary is the mesh: sizes of its symbols, in a link that keeps them."""

from __future__ import annotations

import re
import shlex
import struct
import subprocess
import tempfile
from pathlib import Path

from bench.supervisors import Results
from driver import toolchain
from driver.errors import TholeError
from driver.paths import TARGET

_SYMBOL_TABLE = 2
_MESH = re.compile(rb"5thole4mesh|mesh_command|mesh_client")
_CRYPTO = re.compile(
    rb"^_?(crypto_|sodium_|randombytes|fe25519|ge25519|blake2b|chacha20|poly1305|stream_|h?salsa|x25519|sc25519)"
)


def measure(init: Path) -> Results:
    """Bytes of the binary as nodes have it, and of symbols of the mesh and of its cryptography."""
    with tempfile.TemporaryDirectory(prefix="thole-bench-") as folder:
        linked = Path(folder) / "init"
        link(linked)
        sizes = symbols(linked.read_bytes())
    return {
        "binary": init.stat().st_size,
        "binary-mesh": sum(size for name, size in sizes.items() if _MESH.search(name)),
        "binary-crypto": sum(size for name, size in sizes.items() if _CRYPTO.search(name)),
    }


def link(output: Path) -> None:
    """Link init's objects once more, with their symbols and without what nothing calls.

    Not by zig, which strips what is made small whatever it is told. The C and C++ libraries, which are zig's, are
    left out: what is measured is not in them.
    """
    ninja = [toolchain.ninja(), "-C", str(TARGET)]
    commands = subprocess.run([*ninja, "-t", "commands", "init/init"], capture_output=True, text=True, check=True)
    words = shlex.split(commands.stdout.strip().splitlines()[-1])
    objects = [word for word in words if word.endswith(".o") and word != "-o"]
    archives = [word for word in words if word.endswith(".a")]
    done = subprocess.run(
        ["ld", "--gc-sections", "-e", "main", "--unresolved-symbols=ignore-all", "-o", str(output), *objects,
         "--start-group", *archives, "--end-group"],
        cwd=TARGET, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise TholeError(f"init does not link with its symbols: {done.stderr.strip()[-1000:]}", "./thole build")


def symbols(image: bytes) -> dict[bytes, int]:
    """Names and sizes of everything in a 64-bit ELF file that takes room in it; what has no size is left out.

    What has several names at one address counts once: constructors have two.
    """
    (table,) = struct.unpack_from("<Q", image, 40)
    entry, count = struct.unpack_from("<HH", image, 58)
    sections = [struct.unpack_from("<IIQQQQIIQQ", image, table + number * entry) for number in range(count)]
    found: dict[bytes, int] = {}
    seen: set[int] = set()
    for _, kind, _, _, offset, size, names, _, _, step in sections:
        if kind != _SYMBOL_TABLE:
            continue
        strings = sections[names][4]
        for at in range(offset, offset + size, step):
            name, info, _, section, address, length = struct.unpack_from("<IBBHQQ", image, at)
            placed = 0 < section < len(sections) and sections[section][1] == 1  # not .bss
            if placed and info & 15 in (1, 2) and length and address not in seen:
                seen.add(address)
                text = image[strings + name : image.index(b"\0", strings + name)]
                found[text] = found.get(text, 0) + length
    return found
