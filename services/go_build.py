"""Builds the programs of one Go module: static, stripped, cached by what went in.

The build steps of the services use it. A step's sources are its go.mod, go.sum and .go files; the modules themselves
are fixed by go.sum.
"""

from __future__ import annotations

import argparse
import filecmp
import json
import os
import shutil
import subprocess
from collections import deque
from configparser import ConfigParser
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Callable, Iterable

from driver import toolchain
from driver.cache import Cache, digest
from driver.errors import TholeError
from driver.progress import report
from services import go_licences

SERVICES = Path(__file__).resolve().parent
VERSIONS = SERVICES / "versions.ini"
_LOG_LINES = 15
_REMEDY = "is the network there, and the Go module proxy within reach? (go env GOPROXY)"
# Meson's names and Go's.
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def arguments(description: str | None) -> argparse.Namespace:
    """The command line that the build steps share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--arch", default="x86_64", choices=sorted(ARCHITECTURES), help="of the node")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR")
    parser.add_argument("--depfile", type=Path, help="write what was read, for ninja")
    return parser.parse_args()


@dataclass
class Module:
    """A Go module of ours and the programs made from it: file name to package."""

    step: str
    directory: Path
    programs: dict[str, str]
    # Module path to the version that versions.ini wants of it.
    pinned: dict[str, str] = field(default_factory=dict)
    # Variables set by the linker: "package.name" to text.
    variables: dict[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    # Whether C is compiled too: by zig against musl, and linked statically.
    c: bool = False
    # Makes changed copies of other modules below the directory given, which has a copy of this one, whose go.mod it
    # changes to take them.
    changes: Callable[[Module, dict[str, str], Path], None] | None = None
    # Files beside the module that the result depends on.
    extra: tuple[Path, ...] = ()


def version(section: str, name: str) -> str:
    """A version of versions.ini."""
    parser = ConfigParser()
    parser.read_string(VERSIONS.read_text(), str(VERSIONS))
    try:
        return parser[section][name]
    except KeyError:
        raise TholeError(f"{VERSIONS} has no {name} in [{section}]", "add it") from None


def sources(module: Module) -> list[Path]:
    """What of ours the programs depend on, files that they embed too; a module inside the module is not part of it."""
    inner = {path.parent for path in module.directory.glob("*/**/go.mod")}
    ours = sorted(path for ending in ("go", "yaml") for path in module.directory.rglob(f"*.{ending}"))
    found = [path for path in ours if not inner & set(path.parents)]
    # A module that needs no other has no go.sum.
    fixed = [path for path in (module.directory / "go.mod", module.directory / "go.sum") if path.exists()]
    return [*fixed, *found, *module.extra]


def build(module: Module, architecture: str, out: Path) -> list[Path]:
    """Put the module's programs into `out`, from the cache where they were made before. Returns what was read."""
    variables = environment(module, architecture)
    read = [*sources(module), VERSIONS, Path(__file__), Path(go_licences.__file__)]
    _check_pins(module)
    names = [os.path.relpath(path, SERVICES) for path in read]
    key = digest(json.dumps(_facts(module, variables), sort_keys=True), *names, *read)
    place = Cache().entry("go-programs", key, lambda directory: _compile(module, variables, directory))
    install({name: place / name for name in (*module.programs, licences_of(module))}, out)
    report(module.step, 1, 1, "built")
    return read


def licences_of(module: Module) -> str:
    """The file beside the programs that says what licences their modules have."""
    return f"{module.directory.name}{go_licences.ENDING}"


def environment(module: Module, architecture: str) -> dict[str, str]:
    """The variables of Go commands for a module's programs, of its tests too."""
    target = {"GOOS": "linux", "GOARCH": ARCHITECTURES[architecture], "GOAMD64": "v1"}
    return {**toolchain.go_environment(), **target, **(_c_environment(architecture) if module.c else {})}


def install(files: dict[str, Path], out: Path) -> None:
    """Copy files that are not there yet with the same content, so that what depends on them is not made again."""
    out.mkdir(parents=True, exist_ok=True)
    for name, source in files.items():
        target = out / name
        if target.exists() and filecmp.cmp(source, target, shallow=False):
            continue
        part = target.with_name(f".{name}.part")
        shutil.copy2(source, part)
        os.replace(part, target)


def write_depfile(depfile: Path, target: Path, read: Iterable[Path]) -> None:
    """Say in a Makefile's words what `target` depends on."""
    names = sorted({str(path).replace("$", "$$").replace(" ", "\\ ") for path in read})
    depfile.write_text(f"{target}: \\\n  " + " \\\n  ".join(names) + "\n")


def go_output(module: Module, environment: dict[str, str], *arguments: str) -> str:
    """What a go command prints, run in the module."""
    result = subprocess.run(
        [toolchain.go(), *arguments], cwd=module.directory, env=environment, capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        raise TholeError(f"go {' '.join(arguments[:2])} in {module.directory} failed: {result.stderr.strip()}", _REMEDY)
    return result.stdout


def _c_environment(architecture: str) -> dict[str, str]:
    """What makes Go compile C for the node, whatever C compiler this machine has."""
    return {
        **toolchain.zig_environment(),
        "CGO_ENABLED": "1",
        "CC": f"{toolchain.zig()} cc -target {architecture}-linux-musl",
        "CGO_CFLAGS": "-O2",
    }


def _facts(module: Module, environment: dict[str, str]) -> dict[str, object]:
    """What the result depends on besides the sources."""
    # In the module's directory: its go line may call for a newer toolchain than the one on PATH.
    return {
        "go": go_output(module, environment, "env", "GOVERSION").strip(),
        "architecture": environment["GOARCH"],
        "programs": module.programs,
        "variables": module.variables,
        "tags": module.tags,
        "c": toolchain.venv_key() if module.c else "",
    }


def _check_pins(module: Module) -> None:
    """versions.ini is what people read, go.mod what is built: they must agree."""
    lines = [line for line in (module.directory / "go.mod").read_text().split("\n") if "=>" not in line]
    required = dict(words[:2] for line in lines if len(words := line.replace("require ", "").split()) >= 2)
    for path, wanted in module.pinned.items():
        if required.get(path) != f"v{wanted}":
            raise TholeError(
                f"{module.directory}/go.mod has {path} {required.get(path)}, {VERSIONS} has {wanted}",
                "make them agree, then run `go mod tidy` in that folder",
            )


def _compile(module: Module, environment: dict[str, str], directory: Path) -> None:
    report(module.step, 0, 0, "listing packages")
    place = workplace(module, environment, directory / ".changed")
    packages = sorted(set(module.programs.values()))
    there = replace(module, directory=place)
    total = len(go_output(there, environment, "list", "-deps", *packages).split())
    variables = " ".join(f"-X {name}={text}" for name, text in sorted(module.variables.items()))
    static = "-linkmode external -extldflags '-static -s'" if module.c else ""
    options = ["-v", "-ldflags", f"-s -w {static} {variables}".strip()]
    if module.tags:
        options += ["-tags", ",".join(module.tags)]
    done = 0
    for name, package in module.programs.items():
        command = [toolchain.go(), "build", *options, "-o", str(directory / name), package]
        done = _run(module, place, environment, command, done, total)
    go_licences.write(directory / licences_of(module), _modules(there, environment, packages))
    if module.changes:
        shutil.rmtree(place)


def _modules(module: Module, environment: dict[str, str], packages: list[str]) -> dict[str, Path]:
    """The modules that packages are built of, Go's own library too: path@version, and where each lies."""
    # What stands in for another module counts, but for a changed copy in a folder, which has no version.
    name = "{{if and .Replace .Replace.Version}}{{.Replace.Path}}@{{.Replace.Version}}{{else}}{{.Path}}@{{.Version}}{{end}}"
    form = "{{with .Module}}{{if not .Main}}" + name + "\t{{.Dir}}{{end}}{{end}}"
    options = ["-tags", ",".join(module.tags)] if module.tags else []
    lines = set(go_output(module, environment, "list", *options, "-deps", "-f", form, *packages).splitlines())
    found = {name: Path(folder) for name, _, folder in (line.partition("\t") for line in lines) if folder}
    version, root = go_output(module, environment, "env", "GOVERSION", "GOROOT").split()
    return {**found, f"stdlib@{version.removeprefix('go')}": Path(root)}


def workplace(module: Module, environment: dict[str, str], place: Path) -> Path:
    """Where to run go: the module, or, where other modules are to be changed, a copy of it in `place`.

    Changed modules are named by paths below the main one: a program says of which folders it was built, and has to say
    the same on every machine.
    """
    if not module.changes:
        return module.directory
    for path in sources(module):
        if path.is_relative_to(module.directory):
            target = place / path.relative_to(module.directory)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    module.changes(module, environment, place)
    return place


def _run(
    module: Module, place: Path, environment: dict[str, str], command: list[str], done: int, total: int
) -> int:
    """Run a go build; each line it prints is a package that it begins, or a module that it fetches."""
    last: deque[str] = deque(maxlen=_LOG_LINES)
    process = subprocess.Popen(
        command, cwd=place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    with process.stdout as output:
        for line in output:
            text = line.strip()
            last.append(text)
            print(text)
            if text.startswith("go: downloading"):
                report(module.step, done, total, text.removeprefix("go: "))
            elif text and not text.startswith("#"):
                done = min(done + 1, total)
                report(module.step, done, total, text)
    if process.wait() != 0:
        raise TholeError(f"{' '.join(command[:2])} in {module.directory} failed:\n" + "\n".join(last), _REMEDY)
    return done
