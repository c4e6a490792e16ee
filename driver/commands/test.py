"""Run tests: those named, else all but the long ones.

A name is LAYER/NAME (--list prints all), a LAYER, or a pattern in quotes. What a test needs is built first;
the image only where a VM test may be among them. The last line says how many passed and failed.

With --minutes the fuzzers search on beyond their fixed number of inputs: each for so many minutes, two at a
time. Inputs that break something are named, and the exit status is then 1.

build/logs/tests-NAMES.xml (JUnit) has what each test of such a run printed, also of those that pass: times, sizes.
"""

from __future__ import annotations

import argparse
import fnmatch
import os
import sys

from driver.errors import TholeError
from driver.paths import BUILD, CHECKOUT, LOGS

# Layers whose tests need no image.
_WITHOUT_IMAGE = ("unit", "fuzz", "lint", "driver", "rootfs")
# Tests that boot a root file system which is made beside the build's own, by its profile.
_BESIDE = {
    "slurm": ("vm/slurm", "vm/slurm-cluster", "vm/slurm-shared"),
    "slurm-accounting": ("vm/slurm-accounting",),
    "kubernetes,slurm": ("vm/slurm-pods", "vm/kubernetes-slurm", "vm/slurm-kubernetes", "vm/killed"),
    "compact,kubernetes": ("vm/compact",),
}
_ARCHIVES = {
    "image/oci.tar": ("vm/container",),
    "image/kubernetes-slurm-oci.tar": ("vm/container-cluster",),
    "image/live.efi": ("vm/install",),
    "image/bios.img": ("vm/uefi",),
    "image/uefi.img": ("vm/secure-boot", "vm/uefi", "vm/upgrade", "vm/upgrade-cut"),
}
_LONG = ("compact,kubernetes", "slurm-accounting", "kubernetes,slurm")  # all their tests are long


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `./thole test`."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="LAYER/NAME, LAYER, or a pattern")
    parser.add_argument("--list", action="store_true", help="print the name of every test and run none")
    parser.add_argument("--all", action="store_true", help="the long tests too")
    parser.add_argument("--no-build", action="store_true", help="test what is there, as it is")
    parser.add_argument("--minutes", type=float, metavar="N", help="run each fuzzer for N minutes")
    parser.add_argument("--target", action="append", default=[], metavar="NAME", help="with --minutes: this fuzzer")


def main(options: argparse.Namespace) -> int:
    """Build what is needed and become pytest; with --minutes run fuzzers."""
    from driver import build, display, setup, toolchain

    need_fuzzers_alone(options)
    shown = display.create()
    setup.ensure(shown, "build", "test")
    if options.minutes is not None:
        from driver import fuzz

        return fuzz.run(options.minutes, [*options.names, *options.target], shown)
    setup.ensure_qemu(shown)
    if options.list:
        build.configure(build.native(), shown)
    elif not options.no_build:
        build.make(build.native(), shown)
        if needs_image(options.names):
            build.make(build.target(), shown)
        targets = tuple(build.also_target(profile) for profile in needed_beside(options.names, options.all))
        targets += needed_archives(options.names, options.all)
        if targets:
            build.make(build.target(), shown, targets)
    places = [CHECKOUT / "tests", *sorted(CHECKOUT.glob("*/tests"))]
    command = [
        toolchain.python(),
        "-m",
        "pytest",
        "-c",
        os.devnull,
        f"--rootdir={CHECKOUT}",
        "-p",
        "no:cacheprovider",
        *(["-q", "--no-header", "--names"] if options.list else ["-v", "--tb=short", "--durations=12", *report_to(options.names)]),
        *(["--all"] if options.all else []),
        *(f"--select={name}" for name in options.names),
        *map(str, places),
    ]
    environment = {
        **os.environ,
        "PYTHONPATH": str(CHECKOUT),
        "PYTHONPYCACHEPREFIX": str(BUILD / "pycache"),
        "PYTHONUNBUFFERED": "1",
    }
    os.chdir(CHECKOUT)
    sys.stdout.flush()
    os.execve(command[0], command, environment)


def report_to(names: list[str]) -> list[str]:
    """pytest's options for a report of a run of these tests, with what they print."""
    name = "-".join(["tests", *names]).translate({ord(sign): "-" for sign in "/*?[]"})
    return [f"--junitxml={LOGS / f'{name[:100]}.xml'}", "-o", "junit_logging=all", "-o", "junit_log_passing_tests=true"]


def need_fuzzers_alone(options: argparse.Namespace) -> None:
    """Refuse --minutes for anything but fuzzers, and --target without it."""
    others = [name for name in options.names if name.partition("/")[0] != "fuzz"]
    if options.minutes is not None and others:
        raise TholeError(f"--minutes is for fuzzers, not for {', '.join(others)}", "./thole test fuzz --minutes N")
    if options.minutes is not None and not 0 < options.minutes <= 7 * 24 * 60:
        raise TholeError(f"--minutes {options.minutes:g} is not more than 0 and at most a week", "such as --minutes 10")
    if options.target and options.minutes is None:
        raise TholeError("--target needs --minutes", "./thole test fuzz --minutes N --target NAME")


def needed_archives(names: list[str], long: bool = False) -> tuple[str, ...]:
    """The container images that the tests of these names may run, as targets of ninja: long tests all."""
    return tuple(
        target
        for target, tests in _ARCHIVES.items()
        if any(may_be(test, name) for test in tests for name in names) or (not names and long)
    )


def needed_beside(names: list[str], long: bool = False) -> list[str]:
    """The profiles besides the usual one whose disks the tests of these names may boot; without names all, or all but
    those that only long tests boot.
    """
    return [
        profile
        for profile, tests in _BESIDE.items()
        if any(may_be(test, name) for test in tests for name in names)
        or (not names and (long or profile not in _LONG))
    ]


def may_be(test: str, name: str) -> bool:
    """Whether a test is what a name asks for: itself, its layer, or a pattern."""
    return fnmatch.fnmatch(test, name) or test.startswith(f"{name}/")


def needs_image(names: list[str]) -> bool:
    """Whether a VM test may be among the names."""
    return not names or any(name.partition("/")[0] not in _WITHOUT_IMAGE for name in names)
