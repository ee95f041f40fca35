"""Signing the registry, offline, after a look at every certificate in it."""

import subprocess
import tempfile
from pathlib import Path

from common import signing, units
from common.days import midnight_of, today
from common.sealing import gpg_environment
from common.units import Registry, Unit
from keys.private import read_private_key


class UnfitRegistry(Exception):
    """The registry must not be signed like this. Mend what the message names."""


def sign_registry(draft: Registry, root_key_file: Path, passphrase: str | None = None) -> bytes:
    """The registry file's bytes. Raises UnfitRegistry, or NoSuchKey."""
    if draft.expires <= draft.issued:
        raise UnfitRegistry("It would expire before it is issued.")
    for unit in draft.units:
        _check_certificate(unit)
    root = read_private_key(root_key_file, passphrase)
    signed = signing.sign(units.to_body(draft), units.CONTEXT, root)
    # What is written must be what the servers will read.
    units.verify(signed, root.public_key().public_bytes_raw(), draft.issued)
    return signed


def _check_certificate(unit: Unit) -> None:
    """The certificate is the one its fingerprint says, and has a key to encrypt to."""
    with tempfile.TemporaryDirectory() as home:
        shown = subprocess.run(
            [
                *("gpg", "--homedir", home, "--batch", "--no-options", "--no-autostart"),
                *(
                    "--faked-system-time",
                    f"{today():%Y%m%d}T235959!",
                ),  # what was made today is not of the future
                *("--with-colons", "--show-keys"),
            ],
            input=unit.certificate.encode(),
            capture_output=True,
            check=False,
            env=gpg_environment(),
        ).stdout.decode(errors="replace")
    rows = [line.split(":") for line in shown.splitlines()]
    fingerprints = [row[9] for row in rows if row[0] == "fpr"]
    primaries = [row for row in rows if row[0] == "pub"]
    if len(primaries) != 1 or not fingerprints or fingerprints[0] != unit.fingerprint:
        raise UnfitRegistry(f"The certificate of {unit.id} is not the one that its fingerprint names.")
    usable = [row for row in rows if row[0] in ("pub", "sub") and "e" in row[11] and row[1] not in ("e", "r")]
    if not usable or primaries[0][1] in ("e", "r"):
        raise UnfitRegistry(f"The certificate of {unit.id} is expired, revoked, or cannot be sealed to.")
    midnight = midnight_of(today())  # where the clock stands for who seals, all day long
    if int(primaries[0][5]) > midnight or not any(int(row[5]) <= midnight for row in usable):
        raise UnfitRegistry(
            f"The certificate of {unit.id} can be sealed to from tomorrow on, for its key was made today. Sign it "
            "tomorrow; another time, have the new key made a day before the old one ends."
        )
