"""The build: configures Meson's build directories and runs ninja in them."""

from __future__ import annotations

import json
import os
import platform
import re
from pathlib import Path
from typing import NamedTuple

from driver import hardware, setup, toolchain
from driver.cache import Cache, default_root, digest, remove_tree
from driver.display import Display
from driver.errors import TholeError
from driver.job import Job
from driver.paths import BUILD, CHECKOUT, LOGS
from driver.progress import Progress

INDEXES = BUILD / "indexes"
_NINJA_LINE = re.compile(r"^::ninja (\d+) (\d+) (.*)$")
# The one that Debian 12 and 13 both have, and whose std::expected works with their libstdc++.
CLANG = 19
_CONFIGURED = ".thole-configured"
# Objects are kept for every checkout: debug information then names the one that compiled first.
_CLANG = (
    ("CC", f"ccache clang-{CLANG}"),
    ("CXX", f"ccache clang++-{CLANG}"),
    ("CCACHE_DIR", str(default_root() / "ccache")),
    ("CCACHE_BASEDIR", str(CHECKOUT)),
    ("CCACHE_NOHASHDIR", "yes"),
    ("CCACHE_MAXSIZE", "2G"),
    ("CCACHE_COMPRESSLEVEL", "1"),
)


class Tree(NamedTuple):
    """A build directory: its name below build/, Meson's options, cross file, and variables."""

    name: str
    options: tuple[str, ...]
    cross: str = ""
    environment: tuple[tuple[str, str], ...] = ()

    @property
    def directory(self) -> Path:
        """Where it is."""
        return BUILD / self.name


# Root file systems beside that of the profile, for tests; nothing of them is made before it is asked for.
ALSO = ("base", "slurm", "slurm-accounting", "kubernetes,slurm", "compact,kubernetes")


def target(arch: str = "x86_64", profile: str = "kubernetes", image: bool = True) -> Tree:
    """What runs on nodes."""
    options = (f"-Dprofile={profile}", f"-Dalso={list(ALSO)}", f"-Dimage={'true' if image else 'false'}")
    return Tree(arch, options, f"toolchain/{arch}-linux-musl.ini")


def native() -> Tree:
    """Our own code for this machine, with tests and sanitizers."""
    options = (
        "-Dtests=true",
        "-Dimage=false",
        "-Db_sanitize=address,undefined",
        "-Db_lundef=false",
        "-Doptimization=1",
        # What fuzzers steer by; without a fuzzer in the program it does nothing.
        "-Dcpp_args=-fsanitize=fuzzer-no-link",
    )
    return Tree("native", options, environment=_CLANG)


def measured() -> Tree:
    """The same as fast as it can be, without sanitizers: for programs whose time and memory count."""
    options = ("-Dtests=true", "-Dimage=false", "-Doptimization=2")
    return Tree("measured", options, environment=_CLANG)


def make(tree: Tree, display: Display, targets: tuple[str, ...] = (), as_it_is: bool = False) -> None:
    """Bring a build directory up to date; `as_it_is` with the options that it has."""
    if not as_it_is:
        configure(tree, display)
    command = [toolchain.ninja(), "-C", str(tree.directory), *targets]
    environment = {**_environment(tree), "NINJA_STATUS": "::ninja %f %t "}
    log = LOGS / f"build-{tree.name}.log"
    take = _Ninja(display, tree.name)
    job = Job(command, display, log, environment=environment, directory=CHECKOUT, take=take)
    with Cache().lock(f"tree-{digest(str(tree.directory))[:16]}"):
        status = job.run()
    if status:
        step = display.step or "ninja"
        display.end(failed=True)
        raise job.failure(f"the step '{step}'")
    display.end()


class _Ninja:
    """Takes ninja's own lines out of the log: how many of its edges are done."""

    def __init__(self, display: Display, name: str) -> None:
        self.display = display
        self.name = f"compile {name}" if name != "x86_64" else "compile"

    def __call__(self, line: str) -> str | None:
        match = _NINJA_LINE.match(line)
        if not match:
            return None if line.startswith(("ninja: Entering", "ninja: no work")) else line
        done, total, text = int(match[1]), int(match[2]), match[3]
        if not text.startswith("Generating "):
            # Steps speak for themselves; what they say is clearer than a file's name.
            self.display.update(Progress(self.name, done, total, text.rpartition("/")[2]))
        return f"[{done}/{total}] {text}"


def _environment(tree: Tree) -> dict[str, str]:
    environment = {
        **os.environ,
        **dict(tree.environment),
        **toolchain.zig_environment(),
        "NINJA": toolchain.ninja(),
        "PYTHONPATH": str(CHECKOUT),
        "PYTHONPYCACHEPREFIX": str(BUILD / "pycache"),
    }
    # A person's flags are for other programs; they would make two machines' builds differ.
    for name in ("CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "MAKEFLAGS"):
        environment.pop(name, None)
    return environment


def configure(tree: Tree, display: Display) -> None:
    """Run meson setup where the directory is new or its toolchain or options changed."""
    hardware.ensure()
    if not INDEXES.exists():
        INDEXES.parent.mkdir(exist_ok=True)
        INDEXES.write_text("as first fetched\n")
    cross = []
    if tree.cross:
        cross = ["--cross-file", str(setup.write_machine_file()), "--cross-file", str(CHECKOUT / tree.cross)]
    key = _key(tree, cross)
    stamp = tree.directory / _CONFIGURED
    there = stamp.read_text() if stamp.exists() and (tree.directory / "build.ninja").exists() else ""
    if there == key:
        return
    display.begin("configure")
    # Another profile is another root file system of the same objects: they stay.
    again = bool(there) and there.partition("\n")[0] == key.partition("\n")[0]
    if not again:
        remove_tree(tree.directory)
    command = [
        *toolchain.meson(),
        "setup",
        *(["--reconfigure"] if again else []),
        str(tree.directory),
        str(CHECKOUT),
        *([_profile(tree)] if again else [*tree.options, *cross]),
        "-Db_colorout=never",
    ]
    job = Job(
        command,
        display,
        LOGS / f"configure-{tree.name}.log",
        environment=_environment(tree),
        directory=CHECKOUT,
    )
    if job.run():
        remove_tree(tree.directory)
        display.end(failed=True)
        raise job.failure(f"meson setup of {tree.directory.name}")
    stamp.write_text(key)
    display.end()


def _key(tree: Tree, cross: list[str]) -> str:
    """What the objects depend on, and on a line of its own what only the root file system does."""
    objects = digest(
        "2",
        str(CHECKOUT),
        toolchain.python(),
        *(option for option in tree.options if option != _profile(tree)),
        *cross,
        repr(tree.environment),
        *_cross_text(tree),
    )
    return f"{objects}\n{_profile(tree)}"


def _profile(tree: Tree) -> str:
    return next((option for option in tree.options if option.startswith("-Dprofile=")), "")


def _cross_text(tree: Tree) -> list[str]:
    return [(CHECKOUT / tree.cross).read_text()] if tree.cross else []


def refresh_indexes(display: Display) -> None:
    """Fetch newer package indexes; steps that use packages run again only where the indexes did change."""
    from driver.apt import Apt

    display.begin("indexes")
    roots = default_root() / "apt"
    for place in sorted(roots.iterdir()) if roots.is_dir() else []:
        suite, _, arch = place.name.rpartition("-")
        Apt(suite, arch).refresh()
    # The signed Release files name every index by its hash, so they stand for all of it.
    releases = sorted(roots.glob("*/state/lists/*_InRelease"))
    text = digest(*releases) + "\n"
    if not INDEXES.exists() or INDEXES.read_text() != text:
        INDEXES.parent.mkdir(exist_ok=True)
        INDEXES.write_text(text)
    display.end()


def also_target(profile: str) -> str:
    """The target of ninja that makes the disk of one of `ALSO`."""
    return f"image/{profile.replace(',', '-')}-disk.img"


def note_lock(lock: Path | None) -> None:
    """Steps that use packages run again where a lock comes, changes or goes."""
    old = INDEXES.read_text() if INDEXES.exists() else "as first fetched\n"
    kept = [line for line in old.splitlines() if not line.startswith("locked ")]
    text = "".join(f"{line}\n" for line in [*kept, *([f"locked {digest(lock)}"] if lock else [])])
    if text != old or not INDEXES.exists():
        INDEXES.parent.mkdir(exist_ok=True)
        INDEXES.write_text(text)


# What is made for each format beside what is always made, as targets of ninja.
FORMATS = {
    "bios": ("image/bios.img",),
    "disk": (),
    "init": (),
    "live": ("image/live.efi",),
    "oci": ("image/oci.tar",),
    "uefi": ("image/uefi.img",),
    "upgrade": ("image/thole.upgrade",),
}


def packages_for(arch: str, form: str) -> tuple[str, ...]:
    """Groups of debian-packages.txt: the kernel of another architecture than this machine's needs compilers for it."""
    return ("build", arch) if form != "init" and arch != platform.machine() else ("build",)


def everything(
    display: Display, profile: str, update: bool = False, arch: str = "x86_64", form: str = "disk"
) -> Tree:
    """Set-up and the whole build; of the format `init` no more than that."""
    setup.ensure(display, *packages_for(arch, form))
    if update:
        refresh_indexes(display)
    tree = target(arch, profile, image=form != "init")
    make(tree, display, ("all", *FORMATS[form]) if FORMATS[form] else ())
    return tree


def need_profile(name: str) -> str:
    """Check a profile's name, or several with commas between; the same profiles give the same name."""
    known = sorted(path.stem for path in (CHECKOUT / "rootfs" / "profiles").glob("*.ini"))
    parts = sorted(set(name.split(",")))
    for part in parts:
        if part not in known:
            raise TholeError(f"there is no profile '{part}'", f"rootfs/profiles has {', '.join(known)}")
    return ",".join(part for part in parts if part != "base" or len(parts) == 1)


def built_profile(arch: str = "x86_64") -> str:
    """The profile of what is built; without a build the usual one."""
    try:
        options = json.loads((target(arch).directory / "meson-info" / "intro-buildoptions.json").read_text())
    except (OSError, ValueError):
        return "kubernetes"
    return next((option["value"] for option in options if option["name"] == "profile"), "kubernetes")
