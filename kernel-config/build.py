"""Build step `kernel`: bzImage, vmlinux, config and version from Debian's source and the fragments of this folder.

    python3 kernel-config/build.py --out DIR [--depfile FILE] [--jobs N]
    python3 kernel-config/build.py --check-only

Two entries of the cache: the checked configuration, keyed by source, fragments, exceptions and this code; and the kernel,
keyed by source, that configuration (it names the compiler too) and the code that compiles. So a reworded comment in a
fragment checks again and compiles nothing.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

import kbuild
import kconfig
import source

from driver.cache import Cache, digest
from driver.errors import TholeError, guard
from driver.progress import report

HERE = Path(__file__).resolve().parent
FRAGMENTS = HERE / "fragments"
EXCEPTIONS = HERE / "exceptions.ini"
CODE = [HERE / name for name in ("build.py", "kbuild.py", "kconfig.py", "source.py")]
OUTPUTS = ("bzImage", "vmlinux", "config", "version")


def main() -> int:
    """Parse the command line and do the step."""
    arguments = _arguments()
    cache = Cache()
    report("kernel", 0, 0, "fetching the source")
    package = source.download(cache)
    config, unneeded = checked_config(cache, package, arguments.arch)
    for line in unneeded:
        print(f"{'error' if arguments.check_only else 'warning'}: {EXCEPTIONS.name}: {line}", flush=True)
    if arguments.check_only:
        wishes = kconfig.load_fragments(FRAGMENTS, arguments.arch)
        print(f"{len(wishes)} lines of {len(_fragment_files(arguments.arch))} fragments hold in Linux {package.version}")
        return 1 if unneeded else 0
    made = kernel(cache, package, config, arguments.arch, arguments.jobs)
    _deliver(made, arguments.out)
    if arguments.depfile:
        _write_depfile(arguments.depfile, arguments.out)
    report("kernel", 1, 1, (made / "version").read_text().strip())
    return 0


def checked_config(cache: Cache, package: source.Package, arch: str) -> tuple[str, list[str]]:
    """The final .config, held against the fragments; and the exceptions that are not needed. A difference is an error."""
    try:
        wishes = kconfig.load_fragments(FRAGMENTS, arch)
        exceptions = kconfig.parse_exceptions(EXCEPTIONS.read_text())
    except kconfig.ConfigError as error:
        raise TholeError(str(error), "correct that line in kernel-config/") from error

    def make(out: Path) -> None:
        tree = _tree(cache, package, arch, "configure")
        report("kernel", 0, 0, "configuring")
        with cache.lock(f"kernel-configure-{arch}"):
            config = kbuild.configure(tree, kconfig.merged_text(wishes))
        known = kconfig.defined_symbols(tree.source)
        verdict = kconfig.compare(wishes, kconfig.parse_config(config), exceptions, arch, known)
        if verdict.failures:
            raise TholeError(
                "the kernel's final configuration is not what the fragments ask for:\n  " + "\n  ".join(verdict.failures),
                "add what the symbol depends on (`depends on` in the kernel's Kconfig), or accept it in "
                "kernel-config/exceptions.ini with its reason",
            )
        (out / "config").write_text(config)
        (out / "unneeded").write_text("".join(f"{line}\n" for line in verdict.unneeded))

    key = digest(package.sha256, arch, *_fragment_files(arch), EXCEPTIONS, *CODE, _tools(kbuild.TARGETS[arch]))
    entry = cache.entry("kernel-config", key, make)
    return (entry / "config").read_text(), (entry / "unneeded").read_text().splitlines()


def kernel(cache: Cache, package: source.Package, config: str, arch: str, jobs: int) -> Path:
    """The cache entry with the built kernel."""

    def make(out: Path) -> None:
        tree = _tree(cache, package, arch, "objects")
        with cache.lock(f"kernel-objects-{arch}"):
            kbuild.compile_kernel(tree, config, jobs)
            shutil.copyfile(tree.objects / tree.target.image, out / "bzImage")
            kbuild.strip(tree.objects / "vmlinux", out / "vmlinux", tree.target)
            (out / "version").write_text(kbuild.release(tree) + "\n")
        (out / "config").write_text(config)
        source.remove_other_versions(cache, package)

    key = digest(package.sha256, arch, config, HERE / "kbuild.py", HERE / "source.py")
    return cache.entry("kernel", key, make)


def _tree(cache: Cache, package: source.Package, arch: str, folder: str) -> kbuild.Tree:
    """The unpacked source with a folder of its own for what is made from it."""
    with cache.lock("kernel-source"):
        tree = source.unpack(cache, package)
    objects = source.workshop(cache, package) / f"{folder}-{arch}"
    return kbuild.Tree(tree, objects, kbuild.TARGETS[arch], source.date(tree))


def _fragment_files(arch: str) -> list[Path]:
    """The fragments that take part, in a fixed order."""
    files = sorted(FRAGMENTS.glob("*.config"))
    return [path for path in files if kconfig.fragment_architecture(path.name) in (None, arch)]


def _tools(target: kbuild.Target) -> str:
    """The programs whose version decides what the configuration can hold: where each is, its size and its time."""
    found = []
    for name in (*(f"{target.cross}{tool}" for tool in ("gcc", "ld", "as")), "pahole"):
        path = shutil.which(name)
        info = os.stat(path) if path else None
        found.append(f"{name} {os.path.realpath(path)} {info.st_size} {info.st_mtime_ns}" if path and info else f"{name} none")
    return "\n".join(found)


def _deliver(made: Path, out: Path) -> None:
    """Put the results where the build graph wants them, each whole or not at all."""
    out.mkdir(parents=True, exist_ok=True)
    for name in OUTPUTS:
        temporary = out / f".{name}.tmp"
        shutil.copyfile(made / name, temporary)
        os.replace(temporary, out / name)


def _write_depfile(depfile: Path, out: Path) -> None:
    """A Makefile-style list of what the outputs depend on."""
    inputs = " ".join(str(path) for path in (*CODE, EXCEPTIONS, FRAGMENTS, *sorted(FRAGMENTS.glob("*.config"))))
    depfile.write_text(f"{' '.join(str(out / name) for name in OUTPUTS)}: {inputs}\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Build the node's kernel, or only check its configuration.")
    parser.add_argument("--out", type=Path, help="folder for bzImage, vmlinux, config and version")
    parser.add_argument("--depfile", type=Path, help="write a Makefile-style dependency file here")
    parser.add_argument("--arch", choices=sorted(kbuild.TARGETS), default="x86_64")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="parallel compilations")
    parser.add_argument("--check-only", action="store_true", help="configure, hold it against the fragments, and stop")
    arguments = parser.parse_args()
    if not arguments.check_only and not arguments.out:
        parser.error("--out is needed, unless --check-only is given")
    return arguments


if __name__ == "__main__":
    sys.exit(guard(main))
