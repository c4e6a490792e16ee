"""What Debian's maintainer scripts would have made: accounts, directories, links, alternatives."""

from __future__ import annotations

from driver.errors import TholeError
from rootfs.profile import Account, Profile
from rootfs.tree import Tree

NO_LOGIN = "/usr/sbin/nologin"


def directories(tree: Tree, profile: Profile) -> None:
    """The profile's directories, with owners by name."""
    for directory in profile.directories.values():
        uid = _account(profile, directory.owner, directory.path).uid
        if directory.group not in profile.groups:
            raise TholeError(
                f"/{directory.path} belongs to group {directory.group}, which is not in [groups]", "add it"
            )
        tree.directory(
            directory.path,
            f"profile {profile.name}",
            directory.mode,
            uid=uid,
            gid=profile.groups[directory.group],
        )


def _account(profile: Profile, name: str, path: str) -> Account:
    if name not in profile.accounts:
        raise TholeError(f"/{path} belongs to {name}, who is not in [accounts]", "add the account")
    return profile.accounts[name]


def links(tree: Tree, profile: Profile) -> None:
    """The profile's links and alternatives."""
    for path, target in profile.links.items():
        tree.link(path, target, f"profile {profile.name}")
    for path, target in profile.alternatives.items():
        if tree.resolve(target) is None:
            raise TholeError(
                f"the alternative {path} = {target} leads nowhere", f"mend [alternatives] of {profile.name}"
            )
        tree.link(path, target, f"alternative of profile {profile.name}")


def accounts(tree: Tree, profile: Profile) -> None:
    """passwd, group and shadow: everyone locked, no shell."""
    _check_ids(profile)
    people = sorted(profile.accounts.values(), key=lambda account: account.uid)
    groups = sorted(profile.groups.items(), key=lambda item: item[1])
    passwd = [f"{one.name}:x:{one.uid}:{one.gid}:{one.comment}:{one.home}:{NO_LOGIN}\n" for one in people]
    tree.file("etc/passwd", "".join(passwd), "composer")
    tree.file("etc/group", "".join(f"{name}:x:{gid}:\n" for name, gid in groups), "composer")
    tree.file("etc/shadow", "".join(f"{one.name}:!*:::::::\n" for one in people), "composer", 0o600)


def _check_ids(profile: Profile) -> None:
    for what, ids in (
        ("uid", [one.uid for one in profile.accounts.values()]),
        ("gid", list(profile.groups.values())),
    ):
        twice = sorted({number for number in ids if ids.count(number) > 1})
        if twice:
            raise TholeError(f"profile {profile.name} gives {what} {twice[0]} twice", "choose another number")
    for account in profile.accounts.values():
        if account.gid not in profile.groups.values():
            raise TholeError(
                f"account {account.name} has gid {account.gid}, which is no group", "add it to [groups]"
            )
