"""ELF facts, the closure of needed libraries, the loader's cache."""

from pathlib import Path

import pytest

from driver.errors import TholeError
from rootfs import elf, ldcache, libraries, profile
from rootfs.tree import Tree

LIB = "usr/lib/x86_64-linux-gnu"


def parse(data: bytes) -> elf.Elf:
    return elf.parse(lambda offset, size: data[offset : offset + size])


@pytest.fixture
def settings(checkout):
    return profile.load("base", checkout / "rootfs" / "profiles")


def test_elf_facts(elf_file):
    known = parse(elf_file(["libc.so.6"], "liba.so.1", "/lib64/ld.so", run_path="$ORIGIN/x:/y"))
    assert known == elf.Elf(62, "/lib64/ld.so", "liba.so.1", ("libc.so.6",), ("$ORIGIN/x", "/y"))
    assert parse(elf_file()).needed == ()


@pytest.mark.parametrize("length", [3, 40, 64, 100, 200])
def test_a_cut_elf_file_is_an_error_and_no_crash(elf_file, length):
    with pytest.raises(ValueError):
        parse(elf_file(["libc.so.6"], "liba.so.1")[:length])


def test_only_needed_libraries_are_taken(elf_file, settings):
    tree, available = Tree(), Tree()
    tree.file("usr/bin/x", elf_file(["liba.so.1"], interpreter="/lib64/ld.so"), "test", 0o755)
    available.file(f"{LIB}/liba.so.1.2", elf_file(["libb.so.1"], "liba.so.1"), "package liba")
    available.link(f"{LIB}/liba.so.1", "liba.so.1.2", "package liba")
    available.file(f"{LIB}/libunused.so.1", elf_file([], "libunused.so.1"), "package liba")
    available.file(f"{LIB}/libb.so.1", elf_file([], "libb.so.1"), "package libb")
    libraries.take_needed(tree, available, settings)
    assert f"{LIB}/liba.so.1.2" in tree and f"{LIB}/libb.so.1" in tree
    assert f"{LIB}/libunused.so.1" not in tree


def test_a_missing_library_names_file_and_library(elf_file, settings):
    tree = Tree()
    tree.file("usr/bin/x", elf_file(["libgone.so.1"]), "package x", 0o755)
    with pytest.raises(TholeError, match=r"/usr/bin/x \(package x\) needs libgone.so.1"):
        libraries.take_needed(tree, Tree(), settings)


def test_a_library_that_nothing_needs_is_named(elf_file, settings):
    available = Tree()
    available.file(f"{LIB}/liba.so.1", elf_file([], "liba.so.1"), "package liba")
    with pytest.raises(TholeError, match="nothing in the image needs package liba"):
        libraries.take_needed(Tree(), available, settings)


def test_a_run_path_is_searched(elf_file, settings):
    tree = Tree()
    tree.file("usr/lib/app/x", elf_file(["liba.so"], run_path="$ORIGIN/own"), "test", 0o755)
    tree.file("usr/lib/app/own/liba.so", elf_file([], "liba.so"), "test")
    libraries.take_needed(tree, Tree(), settings)


def test_another_machine_is_refused(elf_file, settings):
    tree = Tree()
    tree.file("usr/bin/x", elf_file(machine=183), "service x", 0o755)
    with pytest.raises(TholeError, match="another machine"):
        libraries.take_needed(tree, Tree(), settings)


@pytest.mark.parametrize(
    ("left", "right", "sign"),
    [
        ("liba.so.2", "liba.so.10", -1),
        ("liba.so.1", "liba.so.1", 0),
        ("liba1", "liba-", 1),
        ("lib", "liba", -1),
        ("b", "a", 1),
    ],
)
def test_names_are_ordered_as_the_loader_does(left, right, sign):
    result = ldcache.compare(left, right)
    assert (result > 0) - (result < 0) == sign


def test_a_cache_says_what_went_in():
    found = [ldcache.Library(f"lib{name}.so.1", f"/{LIB}/lib{name}.so.1") for name in ("a", "b", "z9", "z10")]
    assert set(ldcache.parse(ldcache.build(found, "amd64"))) == set(found)


def test_the_order_is_that_of_ldconfig():
    """This machine's own cache, made by ldconfig, is the reference."""
    names = [library.soname for library in ldcache.parse(Path("/etc/ld.so.cache").read_bytes())]
    reference = list(dict.fromkeys(names))
    ours = ldcache.parse(ldcache.build([ldcache.Library(name, "/x") for name in reference], "amd64"))
    assert [library.soname for library in ours] == reference


def test_the_cache_of_a_tree_holds_sonames(elf_file, settings):
    tree = Tree()
    tree.file(f"{LIB}/liba.so.1.2", elf_file([], "liba.so.1"), "test")
    tree.link(f"{LIB}/liba.so.1", "liba.so.1.2", "test")
    libraries.write_cache(tree, settings)
    cache = tree.get("etc/ld.so.cache").content.read()
    assert ldcache.parse(cache) == [ldcache.Library("liba.so.1", f"/{LIB}/liba.so.1")]
