"""What a root is made of, as SPDX 2.3 (ISO/IEC 5962) in JSON: Debian's packages, Go's modules, and what is ours."""

from __future__ import annotations

import hashlib
import json
import re
import urllib.parse
from typing import Any

from rootfs import go_build_info, programs
from rootfs.tree import FILE, Content, Tree
from services.go_licences import Licence

GoUsers = dict[go_build_info.GoModule, list[str]]
PLACE = "usr/share/thole/sbom.spdx.json"
_ELF = b"\x7fELF"
_NOTHING = "NOASSERTION"
# DEP-5's short names where SPDX has others.
_SPDX_NAMES = {"expat": "MIT", "gpl-2": "GPL-2.0-only", "gpl-2+": "GPL-2.0-or-later", "gpl-3": "GPL-3.0-only",
               "gpl-3+": "GPL-3.0-or-later", "lgpl-2": "LGPL-2.0-only", "lgpl-2+": "LGPL-2.0-or-later",
               "lgpl-2.1": "LGPL-2.1-only", "lgpl-2.1+": "LGPL-2.1-or-later", "lgpl-3": "LGPL-3.0-only",
               "lgpl-3+": "LGPL-3.0-or-later", "apache-2.0": "Apache-2.0", "bsd-2-clause": "BSD-2-Clause",
               "bsd-3-clause": "BSD-3-Clause", "isc": "ISC", "zlib": "Zlib", "mit": "MIT"}  # fmt: skip
_LICENSE = re.compile(r"^License:[ \t]*(\S.*)$", re.MULTILINE)


def document(
    tree: Tree, name: str, architecture: str, versions: dict[str, str], copyrights: dict[str, Content],
    licences: dict[str, Licence] | None = None, users: GoUsers | None = None,
) -> bytes:  # fmt: skip
    """The document. The same root gives the same bytes: it is not dated, and its name space comes from its contents.
    `licences` are those of Go's modules; `users` is go_users(tree), where it is known already.
    """
    go = _go(go_users(tree) if users is None else users, licences or {})
    packages = _debian(tree, architecture, versions, copyrights) + go + _own(tree)
    packages.sort(key=lambda one: one["SPDXID"])
    root = _package("Root", f"thole-{name}", _NOTHING, "thole", "")
    namespace = hashlib.sha256(json.dumps(packages, sort_keys=True).encode()).hexdigest()
    relations = [_relation("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-Root")]
    relations += [_relation("SPDXRef-Root", "CONTAINS", one["SPDXID"]) for one in packages]
    whole = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"thole-{name}-{architecture}",
        "documentNamespace": f"https://thole.invalid/spdx/{namespace}",
        "creationInfo": {"created": "1970-01-01T00:00:00Z", "creators": ["Tool: thole-rootfs"]},
        "packages": [root, *packages],
        "relationships": relations,
    }
    return json.dumps(whole, indent=1, sort_keys=True).encode() + b"\n"


def licences(copyright_file: str) -> list[str]:
    """The short names in a machine-readable copyright file (DEP-5), SPDX's where there are such; sorted."""
    found = {name.strip().rstrip(",") for name in _LICENSE.findall(copyright_file)}
    return sorted(_SPDX_NAMES.get(name.lower(), name) for name in found)


def _debian(tree: Tree, architecture: str, versions: dict[str, str], copyrights: dict[str, Content]) -> list[dict[str, Any]]:
    present = {entry.origin.removeprefix("package ") for entry in tree if entry.origin.startswith("package ")}
    made = []
    for name in sorted(present):
        version = versions[name]
        purl = f"pkg:deb/debian/{name}@{urllib.parse.quote(version)}?arch={architecture}"
        one = _package(f"Debian-{name}", name, version, "Debian", purl)
        notice = copyrights.get(name)
        if notice:
            one["licenseComments"] = "its copyright file names: " + ", ".join(licences(notice.read().decode(errors="replace")))
        made.append(one)
    return made


def go_users(tree: Tree) -> GoUsers:
    """Each module once for each version, and the programs that have it. It reads all programs."""
    users: GoUsers = {}
    for program in programs.every(tree):
        built = go_build_info.read(program.content)
        for module in [*built.modules, go_build_info.GoModule("stdlib", built.go.removeprefix("go"))] if built else []:
            users.setdefault(module, []).append(program.place)
    return users


def _go(users: GoUsers, known: dict[str, Licence]) -> list[dict[str, Any]]:
    made = []
    for module, paths in users.items():
        identity = re.sub(r"[^A-Za-z0-9.-]", "-", f"Go-{module.path}-{module.version}")
        purl = f"pkg:golang/{module.path}@{urllib.parse.quote(module.version)}"
        one = _package(identity, module.path, module.version, "", purl)
        one["comment"] = "in " + ", ".join(sorted(paths))
        licence = known.get(module.name)
        if licence:
            one["licenseDeclared"] = licence.name
        made.append(one)
    return made


def _own(tree: Tree) -> list[dict[str, Any]]:
    """Programs that were built for this root, by where they came from."""
    made = []
    for entry in tree:
        built = entry.kind == FILE and not entry.origin.startswith("package ") and entry.content.read(0, 4) == _ELF
        if built:
            identity = re.sub(r"[^A-Za-z0-9.-]", "-", f"File-{entry.path}")
            one = _package(identity, f"/{entry.path}", _NOTHING, "thole", "")
            one["checksums"] = [{"algorithm": "SHA256", "checksumValue": entry.content.sha256}]
            made.append(one)
    return made


def _package(identity: str, name: str, version: str, supplier: str, purl: str) -> dict[str, Any]:
    one: dict[str, Any] = {
        "SPDXID": f"SPDXRef-{identity}",
        "name": name,
        "downloadLocation": _NOTHING,
        "filesAnalyzed": False,
        "licenseConcluded": _NOTHING,
        "licenseDeclared": _NOTHING,
        "copyrightText": _NOTHING,
        "supplier": f"Organization: {supplier}" if supplier else _NOTHING,
    }
    if version != _NOTHING:
        one["versionInfo"] = version
    if purl:
        one["externalRefs"] = [
            {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl}
        ]
    return one


def _relation(one: str, kind: str, other: str) -> dict[str, str]:
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}
