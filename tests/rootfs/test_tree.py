"""Paths, conflicts, links and the skeleton for /var."""

import pytest

from driver.errors import TholeError
from rootfs.tree import VAR_SKELETON, Tree, normal


def tree_of(**files: str) -> Tree:
    tree = Tree()
    for path, text in files.items():
        tree.file(path.replace("__", "/"), text, "test")
    return tree


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("./usr/bin/x", "usr/bin/x"),
        ("/bin/x", "usr/bin/x"),
        ("lib/a/b", "usr/lib/a/b"),
        ("lib64", "lib64"),
        ("a//b/", "a/b"),
    ],
)
def test_paths_are_usr_merged(given, expected):
    assert normal(given) == expected


def test_a_path_that_climbs_out_is_refused():
    with pytest.raises(TholeError, match="climbs out"):
        normal("usr/../../etc/passwd")


def test_two_origins_of_one_path_name_both():
    tree = Tree()
    tree.file("etc/hosts", "a", "package one")
    with pytest.raises(TholeError, match="package one.*service two"):
        tree.file("etc/hosts", "b", "service two")


def test_the_same_file_twice_is_no_conflict():
    tree = Tree()
    tree.file("etc/hosts", "a", "one")
    tree.file("etc/hosts", "a", "two")
    assert len([entry for entry in tree if entry.kind == "file"]) == 1


def test_parents_appear_and_a_declared_mode_wins():
    tree = Tree()
    tree.file("root/.profile", "", "test")
    assert tree.get("root").mode == 0o755
    tree.directory("root", "profile", 0o700)
    assert tree.get("root").mode == 0o700
    with pytest.raises(TholeError):
        tree.directory("root", "other", 0o750)


def test_a_declared_mode_stays_when_files_come_later():
    tree = Tree()
    tree.directory("root", "profile", 0o700)
    tree.file("root/.profile", "", "test")
    assert tree.get("root").mode == 0o700


def test_nothing_lies_below_a_link():
    tree = Tree()
    tree.link("opt/bin", "/usr/bin", "test")
    with pytest.raises(TholeError, match="which is a link"):
        tree.file("opt/bin/x", "", "test")


def test_var_goes_to_the_skeleton():
    tree = Tree()
    tree.directory("var", "test")
    tree.directory("var/lib/chrony", "test", 0o750, uid=9, gid=9)
    assert tree.get(f"{VAR_SKELETON}/lib/chrony").uid == 9
    assert "var" in tree and "var/lib" not in tree


def test_links_are_followed_like_the_kernel_does():
    tree = tree_of(usr__lib__a="x")
    tree.link("lib", "usr/lib", "test")
    tree.link("usr/b", "../lib/a", "test")
    tree.link("loop", "loop", "test")
    assert tree.resolve("/usr/b").path == "usr/lib/a"
    assert tree.resolve("lib/a").path == "usr/lib/a"
    assert tree.resolve("loop") is None
    assert tree.resolve("usr/lib/a/more") is None
    assert tree.resolve("../../usr/lib/a").path == "usr/lib/a"


def test_runtime_places_count_as_present_and_var_as_its_skeleton():
    tree = Tree()
    tree.directory("var/lib/kubernetes", "test")
    tree.link("etc/kubernetes", "/var/lib/kubernetes", "test")
    tree.link("etc/resolv.conf", "/run/thole/resolv.conf", "test")
    assert tree.resolve("etc/kubernetes").path.endswith("lib/kubernetes")
    assert tree.resolve("etc/resolv.conf")
    assert tree.resolve("var/lib/absent") is None
