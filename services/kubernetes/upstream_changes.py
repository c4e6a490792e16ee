"""Changes to upstream's sources, made in copies of their modules for the build; nothing of theirs is kept here.

Each change names a file of a module and the texts to put in the place of others. A text that is not there as often as
expected stops the build: then upstream has changed, and the change has to be looked at again.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from driver.errors import TholeError
from services.go_build import Module, go_output


@dataclass(frozen=True)
class Replacement:
    """`old` occurs `count` times and becomes `new`."""

    old: str
    new: str
    count: int = 1


@dataclass(frozen=True)
class Change:
    """What to replace in a file of a module, and what to append to it."""

    module: str
    file: str
    replacements: tuple[Replacement, ...]
    append: str = ""


# The API server, the controllers and the scheduler make certificates for their own use at each start: two to four RSA
# keys each, 0.1 s a key on a fast machine and seconds on an emulated or small one. A P-256 key takes 20 microseconds.
ECDSA_KEYS = Change(
    module="k8s.io/client-go",
    file="util/cert/cert.go",
    replacements=(
        Replacement('"crypto/rsa"', '"crypto/ecdsa"\n\t"crypto/elliptic"'),
        Replacement(
            "rsa.GenerateKey(cryptorand.Reader, 2048)", "ecdsa.GenerateKey(elliptic.P256(), cryptorand.Reader)", count=2
        ),
        Replacement(
            "Type: keyutil.RSAPrivateKeyBlockType, Bytes: x509.MarshalPKCS1PrivateKey(priv)",
            "Type: keyutil.ECPrivateKeyBlockType, Bytes: encodedKey(priv)",
        ),
    ),
    append="""
// encodedKey cannot fail: the curve is one that the standard library knows.
func encodedKey(key *ecdsa.PrivateKey) []byte {
	encoded, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		panic(err)
	}
	return encoded
}
""",
)

# kubectl translates its help texts in package initialisation, so every program of the file pays for it: for the default
# language, whose texts are the originals, it compresses and reads an archive, a quarter of the start-up work.
NO_DEFAULT_TRANSLATION = Change(
    module="k8s.io/kubectl",
    file="pkg/util/i18n/i18n.go",
    replacements=(
        Replacement(
            "\tlangStr := findLanguage(root, getLanguageFn)\n",
            "\tlangStr := findLanguage(root, getLanguageFn)\n"
            '\tif langStr == "default" {\n\t\ttranslationsLoaded = true\n\t\treturn nil\n\t}\n',
        ),
    ),
)

# local-path-provisioner is a main package and nothing else. As a program of its own it would be 43 MB, nearly all of it
# what the one file has anyway. It imports logrus by its old name, which Go takes for another module.
LOCAL_PATH = "github.com/rancher/local-path-provisioner"
_LOGRUS = Replacement('"github.com/Sirupsen/logrus"', '"github.com/sirupsen/logrus"')
LOCAL_PATH_PACKAGE = tuple(
    Change(LOCAL_PATH, file, (Replacement("package main\n", "package localpath\n"), *more))
    for file, more in {
        "main.go": (Replacement("func main() {", "// Main is the program.\nfunc Main() {"), _LOGRUS),
        "provisioner.go": (_LOGRUS,),
        "util.go": (),
    }.items()
)

CHANGES = (ECDSA_KEYS, NO_DEFAULT_TRANSLATION, *LOCAL_PATH_PACKAGE)


def changed(text: str, change: Change) -> str:
    """The file's text with the change made."""
    for replacement in change.replacements:
        found = text.count(replacement.old)
        if found != replacement.count:
            raise TholeError(
                f"{change.module}/{change.file} has {replacement.old!r} {found} times, not {replacement.count}",
                "upstream has changed: adapt the change in services/kubernetes/upstream_changes.py, or drop it",
            )
        text = text.replace(replacement.old, replacement.new)
    return text + change.append


def apply(module: Module, environment: dict[str, str], directory: Path) -> None:
    """Copy the modules that are to change below `directory`, a copy of ours, change them, and have its go.mod take them."""
    file = directory / "go.mod"
    text = file.read_text()
    for name in sorted({change.module for change in CHANGES}):
        below = f"changed/{name.replace('/', '_')}"
        copy = directory / below
        _copy_module(module, environment, name, copy)
        for change in CHANGES:
            if change.module == name:
                source = copy / change.file
                source.write_text(changed(source.read_text(), change))
        text = re.sub(
            rf"^(\t{re.escape(name)} =>).*$", lambda match, below=below: f"{match[1]} ./{below}", text, flags=re.MULTILINE
        )
    file.write_text(text)


def _copy_module(module: Module, environment: dict[str, str], name: str, copy: Path) -> None:
    """The module as Go verified it; its files there are read-only."""
    go_output(module, environment, "mod", "download", name)
    original = go_output(module, environment, "list", "-m", "-f", "{{.Dir}}", name).strip()
    shutil.copytree(original, copy, copy_function=shutil.copyfile)
    for folder in (copy, *(path for path in copy.rglob("*") if path.is_dir())):
        folder.chmod(0o755)
