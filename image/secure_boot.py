"""Keys: for Secure Boot (UEFI specification, 32) and for upgrades, in a folder that stays with whoever makes images.

PK says who may change KEK, KEK who may change db, and db has the certificate that signs what starts.
"""

from __future__ import annotations

import os
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path

from driver.errors import TholeError
from driver.host_tools import tool
from image import uki

_LEVELS = ("PK", "KEK", "db")
_OWNER = "owner-guid"
_YEARS = 20
# systemd-boot: a machine that is virtual and in set-up mode takes the keys by itself, others by its menu.
LOADER_CONF = "secure-boot-enroll if-safe\n"


@dataclass(frozen=True)
class Keys:
    """A folder that `make` filled, or that has files of the same names from elsewhere."""

    folder: Path

    def check(self) -> Keys:
        """TholeError where a file is missing."""
        wanted = [f"{level}.{ending}" for level in _LEVELS for ending in ("key", "crt")] + [_OWNER, "upgrade.pem"]
        missing = [name for name in wanted if not (self.folder / name).is_file()]
        if missing:
            raise TholeError(f"{self.folder} has no {', '.join(missing)}", "./thole keys FOLDER makes new ones")
        return self

    @property
    def signing(self) -> uki.Signing:
        """What signs programs that the firmware starts."""
        return uki.Signing(self.folder / "db.key", self.folder / "db.crt")

    @property
    def upgrade(self) -> Path:
        """The private key that signs upgrades."""
        return self.folder / "upgrade.pem"

    def enrolment(self, scratch: Path) -> dict[str, Path]:
        """Signed variables by which a machine in set-up mode takes the keys: name to file."""
        owner = (self.folder / _OWNER).read_text().strip()
        made = {}
        for level, signer in (("PK", "PK"), ("KEK", "PK"), ("db", "KEK")):
            listed, signed = scratch / f"{level}.esl", scratch / f"{level}.auth"
            _run([*tool("cert-to-efi-sig-list"), "-g", owner, self.folder / f"{level}.crt", listed])
            _run([
                *tool("sign-efi-sig-list"), "-t", "2020-01-01 00:00:00", "-g", owner,
                "-k", self.folder / f"{signer}.key", "-c", self.folder / f"{signer}.crt", level, listed, signed,
            ])  # fmt: skip
            made[f"{level}.auth"] = signed
        return made


def make(folder: Path) -> Keys:
    """New keys in a new folder, for its owner alone."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        raise TholeError(f"{folder} is there already, and was not touched", "give another name") from None
    except OSError as error:
        raise TholeError(f"{folder} cannot be made: {error.strerror}") from None
    before = os.umask(0o077)
    try:
        for level in _LEVELS:
            _run([
                "openssl", "req", "-new", "-x509", "-newkey", "rsa:2048", "-noenc", "-sha256", "-days", str(365 * _YEARS),
                "-subj", f"/CN=thole {level}/", "-keyout", folder / f"{level}.key", "-out", folder / f"{level}.crt",
            ])  # fmt: skip
        _run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", folder / "upgrade.pem"])
        (folder / _OWNER).write_text(f"{uuid.uuid4()}\n")
    finally:
        os.umask(before)
    return Keys(folder)


def _run(command: list[str | Path]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise TholeError(f"{command[-1]} was not made: {(done.stderr or done.stdout).strip()}", "see image/secure_boot.py")
