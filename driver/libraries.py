"""Sources of the libraries in the node's binaries: Debian source packages, unpacked below subprojects/.

Of each only the files named here are taken; the meson.build laid over them is ours
(subprojects/packagefiles/NAME). The library is built again for musl from them.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from driver.cache import Cache, digest, remove_tree
from driver.errors import TholeError

CHECKOUT = Path(__file__).resolve().parent.parent
SUBPROJECTS = CHECKOUT / "subprojects"
_STAMP = ".thole-source"


class Library(NamedTuple):
    """A library: its Debian source package and the files we build, by their names in the upstream tree.

    `package` names a binary package with the static library for glibc, `archive` its file: the way out where
    a mirror does not keep the sources. `headers` are then taken from it.
    """

    source: str
    files: tuple[str, ...]
    package: str = ""
    archive: str = ""
    headers: tuple[str, ...] = ()


LIBRARIES = {
    "inih": Library("libinih", ("ini.c", "ini.h", "LICENSE.txt")),
    "libmnl": Library(
        "libmnl",
        (
            "src/attr.c",
            "src/callback.c",
            "src/internal.h",
            "src/nlmsg.c",
            "src/socket.c",
            "include/libmnl/libmnl.h",
            "COPYING",
        ),
        package="libmnl-dev",
        archive="libmnl.a",
        headers=("include/libmnl/libmnl.h",),
    ),
    "libsodium": Library(
        "libsodium",
        (
            *(
                f"src/libsodium/{name}"
                for name in (
                    "crypto_aead/xchacha20poly1305/sodium/aead_xchacha20poly1305.c",
                    "crypto_core/ed25519/ref10/ed25519_ref10.c",
                    "crypto_core/ed25519/ref10/fe_51/base.h",
                    "crypto_core/ed25519/ref10/fe_51/base2.h",
                    "crypto_core/ed25519/ref10/fe_51/constants.h",
                    "crypto_core/ed25519/ref10/fe_51/fe.h",
                    "crypto_core/hchacha20/core_hchacha20.c",
                    "crypto_generichash/blake2b/ref/blake2.h",
                    "crypto_generichash/blake2b/ref/blake2b-compress-ref.c",
                    "crypto_generichash/blake2b/ref/blake2b-ref.c",
                    "crypto_generichash/blake2b/ref/generichash_blake2b.c",
                    "crypto_hash/sha256/cp/hash_sha256_cp.c",
                    "crypto_hash/sha512/cp/hash_sha512_cp.c",
                    "crypto_onetimeauth/poly1305/donna/poly1305_donna.c",
                    "crypto_onetimeauth/poly1305/donna/poly1305_donna.h",
                    "crypto_onetimeauth/poly1305/donna/poly1305_donna64.h",
                    "crypto_onetimeauth/poly1305/onetimeauth_poly1305.c",
                    "crypto_onetimeauth/poly1305/onetimeauth_poly1305.h",
                    "crypto_scalarmult/curve25519/ref10/x25519_ref10.c",
                    "crypto_scalarmult/curve25519/ref10/x25519_ref10.h",
                    "crypto_scalarmult/curve25519/scalarmult_curve25519.h",
                    "crypto_sign/ed25519/ref10/open.c",
                    "crypto_sign/ed25519/ref10/sign_ed25519_ref10.h",
                    "crypto_stream/chacha20/ref/chacha20_ref.c",
                    "crypto_stream/chacha20/ref/chacha20_ref.h",
                    "crypto_stream/chacha20/stream_chacha20.c",
                    "crypto_stream/chacha20/stream_chacha20.h",
                    "crypto_verify/sodium/verify.c",
                    "include/sodium/core.h",
                    "include/sodium/crypto_aead_chacha20poly1305.h",
                    "include/sodium/crypto_aead_xchacha20poly1305.h",
                    "include/sodium/crypto_core_hchacha20.h",
                    "include/sodium/crypto_generichash_blake2b.h",
                    "include/sodium/crypto_hash_sha256.h",
                    "include/sodium/crypto_hash_sha512.h",
                    "include/sodium/crypto_onetimeauth_poly1305.h",
                    "include/sodium/crypto_scalarmult_curve25519.h",
                    "include/sodium/crypto_sign_ed25519.h",
                    "include/sodium/crypto_stream_chacha20.h",
                    "include/sodium/crypto_verify_16.h",
                    "include/sodium/crypto_verify_32.h",
                    "include/sodium/crypto_verify_64.h",
                    "include/sodium/export.h",
                    "include/sodium/private/chacha20_ietf_ext.h",
                    "include/sodium/private/common.h",
                    "include/sodium/private/ed25519_ref10.h",
                    "include/sodium/private/ed25519_ref10_fe_51.h",
                    "include/sodium/private/implementations.h",
                    "include/sodium/randombytes.h",
                    "include/sodium/runtime.h",
                    "include/sodium/utils.h",
                    "sodium/codecs.c",
                    "sodium/utils.c",
                )
            ),
            "LICENSE",
        ),
    ),
}
_TRIPLETS = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}


def ready() -> bool:
    """Whether all libraries' sources are in place."""
    return all(_stamped(name) == _key(name) for name in LIBRARIES)


def prepare(note: Callable[[str], None] = print) -> None:
    """Bring the sources of all libraries below subprojects/; nothing happens where they are there already."""
    for name, library in LIBRARIES.items():
        if _stamped(name) == _key(name):
            continue
        source = Cache().entry(
            "libraries", digest("1", repr(library)), lambda made, wanted=library: _fetch(wanted, made, note)
        )
        temporary = SUBPROJECTS / f".{name}.tmp"
        remove_tree(temporary)
        shutil.copytree(source, temporary, ignore=shutil.ignore_patterns(".manifest.json"))
        shutil.copytree(SUBPROJECTS / "packagefiles" / name, temporary, dirs_exist_ok=True)
        (temporary / _STAMP).write_text(_key(name))
        remove_tree(SUBPROJECTS / name)
        temporary.rename(SUBPROJECTS / name)


def _key(name: str) -> str:
    return digest("1", repr(LIBRARIES[name]), SUBPROJECTS / "packagefiles" / name)


def _stamped(name: str) -> str:
    stamp = SUBPROJECTS / name / _STAMP
    return stamp.read_text() if stamp.exists() else ""


def _fetch(library: Library, directory: Path, note: Callable[[str], None]) -> None:
    """Put the wanted files of a library into a directory."""
    from driver.apt import Apt

    try:
        files = Apt().source([library.source])[library.source]
    except TholeError as error:
        if not library.package:
            raise
        note(f"note: {error.what}; taking the static library of {library.package} instead")
        _fetch_archive(library, directory)
        return
    tarball = next(path for path in files if ".orig.tar." in path.name and not path.name.endswith(".asc"))
    _unpack_files(tarball, library.files, directory)


def _unpack_files(tarball: Path, wanted: tuple[str, ...], directory: Path) -> None:
    """Unpack the wanted files of an upstream tarball without its top folder."""
    import tarfile

    with tarfile.open(tarball) as archive:
        members = {name.partition("/")[2]: name for name in archive.getnames()}
        missing = [name for name in wanted if name not in members]
        if missing:
            raise TholeError(
                f"{tarball.name} has no {', '.join(missing)}", "adapt LIBRARIES in driver/libraries.py"
            )
        for name in wanted:
            stream = archive.extractfile(members[name])
            if stream is None:
                raise TholeError(
                    f"{name} in {tarball.name} is no file", "adapt LIBRARIES in driver/libraries.py"
                )
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_bytes(stream.read())


def _fetch_archive(library: Library, directory: Path) -> None:
    """Take headers and the static libraries for both architectures from the binary package."""
    from driver.apt import Apt
    from driver.host_tools import unpack

    for arch, triplet in _TRIPLETS.items():
        package = Apt(arch=arch).download([library.package])[library.package]
        unpacked = directory / ".unpacked"
        unpack(package, unpacked)
        target = directory / "prebuilt" / triplet.partition("-")[0]
        target.mkdir(parents=True)
        shutil.copy(unpacked / "usr" / "lib" / triplet / library.archive, target / library.archive)
        for name in library.headers:
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(unpacked / "usr" / name, directory / name)
        shutil.copy(unpacked / "usr" / "share" / "doc" / library.package / "copyright", directory / "COPYING")
        remove_tree(unpacked)
