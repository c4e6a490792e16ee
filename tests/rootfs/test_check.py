"""The checks of a whole tree, accounts, services' folders."""

import pytest

from driver.errors import TholeError
from rootfs import check, collect, generate, profile
from rootfs.tree import Tree


@pytest.fixture
def settings(checkout):
    return profile.load("base", checkout / "rootfs" / "profiles")


def whole(elf_file) -> Tree:
    tree = Tree()
    for name in ("proc", "sys", "dev", "run", "etc", "var"):
        tree.directory(name, "test")
    tree.file("usr/sbin/init", elf_file(), "init", 0o755)
    tree.link("sbin", "usr/sbin", "test")
    return tree


def test_a_whole_tree_passes(elf_file, settings):
    check.check(whole(elf_file), settings)


@pytest.mark.parametrize(
    "path", ["usr/bin/sh", "usr/bin/dbus-daemon", "usr/lib/systemd/systemd", "usr/bin/python3.13"]
)
def test_forbidden_names_are_found_wherever_they_are(elf_file, settings, path):
    tree = whole(elf_file)
    tree.file(path, "", "package x")
    with pytest.raises(TholeError, match=f"/{path}.*is forbidden"):
        check.check(tree, settings)


def test_a_profile_can_allow_a_name(elf_file, settings):
    tree = whole(elf_file)
    tree.file("usr/bin/dash", elf_file(), "package dash", 0o755)
    settings.allowed.append("dash")
    check.check(tree, settings)


def test_a_link_to_nowhere_is_found(elf_file, settings):
    tree = whole(elf_file)
    tree.link("usr/bin/x", "absent", "service x")
    with pytest.raises(TholeError, match="/usr/bin/x .* leads to absent"):
        check.check(tree, settings)


@pytest.mark.parametrize("text", [b"#!/bin/sh\n", b"#! /usr/bin/env sh -e\n", b"#!/usr/bin/awk -f"])
def test_a_script_without_its_interpreter_is_found(elf_file, settings, text):
    tree = whole(elf_file)
    tree.file("usr/bin/x", text, "service x", 0o755)
    with pytest.raises(TholeError, match="/usr/bin/x .* is run by"):
        check.check(tree, settings)


def test_a_program_without_its_loader_is_found(elf_file, settings):
    tree = whole(elf_file)
    tree.file("usr/bin/x", elf_file(interpreter="/lib64/ld.so"), "service x", 0o755)
    with pytest.raises(TholeError, match="is run by /lib64/ld.so"):
        check.check(tree, settings)


def test_init_has_to_be_static(elf_file, settings):
    tree = whole(elf_file)
    tree.remove("usr/sbin/init")
    with pytest.raises(TholeError, match="no executable file"):
        check.check(tree, settings)
    tree.file("usr/sbin/init", elf_file(["libc.so.6"]), "init", 0o755)
    with pytest.raises(TholeError, match="no static executable"):
        check.check(tree, settings)


def test_accounts_are_locked(settings):
    tree = Tree()
    generate.accounts(tree, settings)
    passwd = tree.get("etc/passwd").content.read().decode().splitlines()
    assert passwd[0] == "root:x:0:0:root:/root:/usr/sbin/nologin"
    shadow = tree.get("etc/shadow")
    assert shadow.mode == 0o600 and all(b":!*:" in line for line in shadow.content.read().splitlines())


def test_a_uid_given_twice_is_refused(settings):
    settings.accounts["other"] = profile.Account("other", 901, 901, "/", "x")
    with pytest.raises(TholeError, match="uid 901 twice"):
        generate.accounts(Tree(), settings)


def services(tmp_path, settings, **files):
    settings.services[:] = ["one"]
    for name, text in files.items():
        path = tmp_path / "one" / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_a_service_folder_is_placed(tmp_path, settings):
    folder = services(
        tmp_path,
        settings,
        **{"one.unit": "u", "templates__etc__one.conf": "t", "root__usr__share__x": "r", "build.py": ""},
    )
    tree, read = Tree(), []
    collect.services(tree, settings, folder, read)
    files = {entry.path for entry in tree if entry.kind == "file"}
    assert files == {"usr/lib/thole/units/one.unit", "usr/lib/thole/templates/etc/one.conf", "usr/share/x"}
    assert folder / "one" / "one.unit" in read


def test_a_missing_service_and_missing_files_are_named(tmp_path, settings):
    settings.services[:] = ["gone"]
    with pytest.raises(TholeError, match="has the service gone"):
        collect.services(Tree(), settings, tmp_path, [])
    with pytest.raises(TholeError, match="does not exist"):
        collect.binary(Tree(), "/usr/bin/x", tmp_path / "x", "test", [])
    with pytest.raises(TholeError, match="no files"):
        collect.binary(Tree(), "/usr/bin/", tmp_path / "*.tar", "test", [])


def test_built_files_go_where_install_ini_says(tmp_path, settings):
    text = "[files]\n/usr/bin/one = one\n/usr/lib/one/ = parts/*\n[links]\n/usr/bin/uno = one\n"
    folder = services(tmp_path, settings, **{"install.ini": text})
    built = tmp_path / "build"
    (built / "parts").mkdir(parents=True)
    for name in ("one", "parts/a", "parts/b"):
        (built / name).write_text(name)
    (built / "one").chmod(0o755)
    tree = Tree()
    collect.artifacts(tree, settings, folder, {"one": built}, [])
    assert tree.get("usr/bin/one").mode == 0o755 and tree.get("usr/lib/one/b").mode == 0o644
    assert tree.resolve("usr/bin/uno").path == "usr/bin/one"
    with pytest.raises(TholeError, match="nobody said where"):
        collect.artifacts(Tree(), settings, folder, {}, [])
