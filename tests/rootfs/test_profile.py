"""Profiles and path patterns."""

import pytest

from driver.errors import TholeError
from rootfs import profile
from rootfs.patterns import Patterns, matches


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("usr/lib/*.so.*", "usr/lib/libc.so.6", True),
        ("usr/lib/*.so.*", "usr/lib/deep/libc.so.6", False),
        ("usr/**/UTC", "usr/share/zoneinfo/Etc/UTC", True),
        ("usr/lib*/ld-?.so", "usr/lib64/ld-2.so", True),
        ("a/[!x]b", "a/xb", False),
        ("a/[xy]b", "a/yb", True),
        ("a.b", "axb", False),
        ("/etc/x", "etc/x", True),
    ],
)
def test_patterns(pattern, path, fits):
    assert matches(pattern, path) is fits


def test_patterns_that_fit_nothing_are_known():
    patterns = Patterns(["usr/bin/a", "usr/bin/b"])
    assert patterns.match("usr/bin/a")
    assert not patterns.match("usr/bin/c")
    assert patterns.unused() == ["usr/bin/b"]


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
@pytest.mark.parametrize("name", ["base", "kubernetes", "slurm", "kubernetes,slurm"])
def test_our_profiles_load(checkout, name, architecture):
    loaded = profile.load(name, checkout / "rootfs" / "profiles", architecture)
    assert "libc6" in loaded.packages and "network" in loaded.services
    assert all(
        "{lib}" not in pattern for package in loaded.packages.values() for pattern in package.keep.patterns
    )
    assert ("kubernetes" in loaded.services) == ("kubernetes" in name)
    assert ("slurm" in loaded.services) == ("slurm" in name)
    assert loaded.services.count("network") == 1


def write(folder, name, text):
    (folder / f"{name}.ini").write_text(text)


def test_compact_changes_the_compression_alone(checkout):
    usual, compact = (profile.load(name, checkout / "rootfs" / "profiles") for name in ("base", "compact"))
    assert (usual.compression, compact.compression) == (profile.USUAL_COMPRESSION, "zstd,level=6")
    assert compact.packages.keys() == usual.packages.keys() and compact.services == usual.services


def test_a_compression_that_the_kernel_does_not_read_is_refused(tmp_path):
    write(tmp_path, "odd", "[image]\ncompression = deflate\n")
    with pytest.raises(TholeError, match="compression = deflate"):
        profile.load("odd", tmp_path)


def test_extending_adds_and_overrides(tmp_path):
    write(tmp_path, "low", "[package a]\nwhy = x\nkeep = usr/bin/a\n[links]\netc/x = y\n[groups]\nroot = 0\n")
    write(
        tmp_path,
        "high",
        "[profile]\nextends = low\n[package a]\nwhy = x\nkeep = {lib}/a\n[links]\netc/x = z\n",
    )
    loaded = profile.load("high", tmp_path)
    assert loaded.packages["a"].keep.patterns == ["usr/lib/x86_64-linux-gnu/a"]
    assert loaded.links == {"etc/x": "z"} and loaded.groups == {"root": 0}


def test_several_profiles_are_one(tmp_path):
    write(tmp_path, "low", "[groups]\nroot = 0\n[services]\nnames = a\n[forbidden]\nnames = sh x\n")
    write(tmp_path, "one", "[profile]\nextends = low\n[services]\nnames = b\n[links]\netc/x = y\n")
    write(tmp_path, "two", "[profile]\nextends = low\n[services]\nnames = c\n[forbidden]\nallowed = sh\n")
    loaded = profile.load("one,two", tmp_path)
    assert loaded.services == ["a", "b", "c"]
    assert loaded.links == {"etc/x": "y"} and loaded.allowed == ["sh"] and loaded.forbidden == ["sh", "x"]
    assert [path.stem for path in loaded.files] == ["low", "one", "two"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[packges]\na = b\n", "unknown section"),
        ("[package a]\nwhy = x\nkep = usr/bin/a\n", "did you mean keep"),
        ("[package a]\nwhy = x\n", "needs 'why' and 'keep'"),
        ("[accounts]\na = x y z w\n", "is no number"),
        ("[accounts]\na = 1 2\n", "UID GID HOME COMMENT"),
        ("[directories]\netc = rwx\n", "MODE"),
        ("[profile]\nextends = p\n", "circle"),
        ("[profile]\nextends = absent\n", "no profile absent"),
        ("nonsense\n", "no section"),
    ],
)
def test_mistakes_are_named(tmp_path, text, message):
    write(tmp_path, "p", text)
    with pytest.raises(TholeError) as error:
        profile.load("p", tmp_path)
    assert message in str(error.value)
