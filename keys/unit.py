"""A unit's keys: the certificate that reports are sealed to, and the key that signs its answers.

Both are made on the unit's own offline workstation. The reply-signing key is kept sealed to the certificate, so
that it can be used only where the certificate's secret is, be that a file behind a passphrase or a card.
"""

import io
from dataclasses import dataclass
from pathlib import Path

import gnupg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common.days import today
from common.sealing import Sealer, gpg_environment, midnight, private_home
from keys.private import pem

GNUPG_HOME = "gnupg"
REPLY_KEY = "reply.key.gpg"
CERTIFICATE = "certificate.asc"


class CeremonyFailed(Exception):
    """The keys could not be made. Nothing was enrolled; mend what the message names and begin again."""


@dataclass(frozen=True)
class NewUnit:
    """The public side of a unit's keys, as the registry takes it."""

    certificate: str  # ASCII armoured
    fingerprint: str  # 40 hex digits
    reply_public_key: bytes  # Ed25519, 32 bytes


def new_unit(folder: Path, unit_id: str, name: str, *, passphrase: str | None, months: int = 24) -> NewUnit:
    """Make a unit's keys under `folder`: `gnupg/` (private home) and `reply.key.gpg`.

    The certificate has an Ed25519 primary key that only certifies, and a cv25519 encryption subkey; both are
    valid for `months`. `passphrase` None leaves them without protection: for trying out only.
    Raises CeremonyFailed, also where there are keys in `folder` already: none is ever overwritten.
    """
    request = _request(unit_id, name, passphrase, months)
    if any((folder / name).exists() for name in (GNUPG_HOME, REPLY_KEY, CERTIFICATE)):
        raise CeremonyFailed(f"There are keys in {folder} already. Name an empty folder.")
    home = private_home(folder / GNUPG_HOME)
    gpg = gnupg.GPG(gnupghome=str(home), env=gpg_environment())
    gpg.encoding = "utf-8"  # of the name, and of the passphrase as it will be typed
    made = gpg.gen_key(request)
    if not made.fingerprint:
        raise CeremonyFailed("GnuPG did not make the certificate. Try a folder whose path is short.")
    fingerprint = str(made.fingerprint)
    certificate = str(gpg.export_keys(fingerprint))
    if "BEGIN PGP PUBLIC KEY BLOCK" not in certificate:
        raise CeremonyFailed("GnuPG did not give the certificate out. Try again in an empty folder.")

    reply_key = Ed25519PrivateKey.generate()
    recipient = folder / CERTIFICATE
    recipient.write_text(certificate, "ascii")
    Sealer(folder / "sealing").seal(io.BytesIO(pem(reply_key)), [recipient], folder / REPLY_KEY)
    (folder / REPLY_KEY).chmod(0o600)
    (folder / "sealing").rmdir()
    return NewUnit(certificate, fingerprint, reply_key.public_key().public_bytes_raw())


def _request(unit_id: str, name: str, passphrase: str | None, months: int) -> str:
    """gpg's batch input. It goes down a pipe, so that the passphrase is in no argument."""
    if any(char in value for value in (unit_id, name, passphrase or "") for char in "\r\n\0"):
        raise CeremonyFailed("A name or passphrase has one line.")
    if passphrase is not None and (not passphrase or passphrase != passphrase.strip()):
        raise CeremonyFailed("A passphrase is not empty, and neither begins nor ends with a space.")
    protection = f"Passphrase: {passphrase}" if passphrase else "%no-protection"
    return "\n".join(
        [
            "Key-Type: eddsa",  # gpg wants it first
            protection,
            "Key-Curve: ed25519",
            "Key-Usage: cert",
            "Subkey-Type: ecdh",
            "Subkey-Curve: cv25519",
            "Subkey-Usage: encrypt",
            f"Name-Real: {name}",
            f"Name-Comment: {unit_id}",
            f"Creation-Date: {midnight(today()).rstrip('!')}",
            f"Expire-Date: {months}m",
            "%commit",
            "",
        ]
    )
