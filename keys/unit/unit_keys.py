"""A unit's keys: the certificate that reports are sealed to, the case key, and the key that signs its answers.

All are made on the unit's own offline workstation. The certificate has an encryption subkey for each month, see
common/gpg/epochs.py. The case key is another key of the same home and no part of the certificate: nothing is sealed to
it but at the desk, and what is lasts longer than a month's key. The reply-signing key is kept sealed to the case key,
so that it can be used only where that secret is, and outlives every epoch.
"""

import io
import os
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common.days import today
from common.durable import write_whole
from common.gpg.epochs import OVERLAP, ahead, epochs_of, month_after, month_of
from common.gpg.keyring import Where, end_agent, is_unprotected, keys_of, secret_certificates
from common.gpg.opening import Opener, OpeningFailed
from common.gpg.runner import private_home
from common.gpg.sealing import Sealer
from keys.cards import UnitCard, read_card, write_card
from keys.gpg_key import (
    CeremonyFailed,
    add_epochs,
    change_passphrase,
    check_passphrase,
    make_key,
    public_part,
    request,
)
from keys.private_key import pem
from keys.registry.signature import UnfitRegistry

GNUPG_HOME = "gnupg"
REPLY_KEY = "reply.key.gpg"
CERTIFICATE = "certificate.asc"
CASE_CERTIFICATE = "case.asc"
UNIT_CARD = "unit-card.json"


@dataclass(frozen=True)
class NewUnit:
    """The public side of a unit's keys, as the registry takes it."""

    certificate: str  # ASCII armoured
    fingerprint: str  # 40 hex digits
    reply_public_key: bytes  # Ed25519, 32 bytes


@dataclass(frozen=True)
class Extended:
    """A certificate with more months: the file of its new card, and the last month."""

    card: UnitCard
    file: Path
    last_month: date


def new_unit(  # the folder, who, and how
    folder: Path,
    unit_id: str,
    name: str,
    *,
    passphrase: str | None,
    months: int = 24,
    first: date | None = None,
) -> NewUnit:
    """Make a unit's keys under `folder`: `gnupg/` (private home), `reply.key.gpg`, `certificate.asc`, `case.asc`.

    The certificate has an Ed25519 primary key that only certifies, without an end, and a cv25519 encryption subkey
    for each of `months` months, this one first, or that of the day `first`. `passphrase` None leaves them without
    protection: for trying out only.
    Raises CeremonyFailed, also where there are keys in `folder` already: none is ever overwritten.
    """
    first = month_of(first or today())
    batch = request(name, unit_id, passphrase, first - OVERLAP, encrypts=False)
    refuse_existing(folder)
    home = private_home(folder / GNUPG_HOME)
    fingerprint = make_key(home, batch, passphrase)
    add_epochs(home, fingerprint, ahead(first, months, is_new=True), passphrase)
    certificate = public_part(home, fingerprint)
    (folder / CERTIFICATE).write_text(certificate, "ascii")
    reply_public_key = make_case_and_reply_key(folder, unit_id, name, passphrase)
    return NewUnit(certificate, fingerprint, reply_public_key)


def refuse_existing(folder: Path) -> None:
    """Raises CeremonyFailed where there are keys in a folder."""
    if any((folder / name).exists() for name in (GNUPG_HOME, REPLY_KEY, CERTIFICATE, CASE_CERTIFICATE)):
        raise CeremonyFailed(f"There are keys in {folder} already. Name an empty folder.")


def make_case_and_reply_key(folder: Path, unit_id: str, name: str, passphrase: str | None) -> bytes:
    """Make a case key in the unit's home, and a reply key sealed to it: the public half, 32 bytes."""
    make_case_key(folder, unit_id, name, passphrase)
    reply_key = Ed25519PrivateKey.generate()
    _seal_reply_key(folder, pem(reply_key))
    return reply_key.public_key().public_bytes_raw()


def make_case_key(folder: Path, unit_id: str, name: str, passphrase: str | None) -> None:
    """Make the case key in the unit's home, and `case.asc`. Raises CeremonyFailed."""
    if (folder / CASE_CERTIFICATE).exists():
        raise CeremonyFailed(f"There is a case key in {folder} already. It is never overwritten.")
    home = folder / GNUPG_HOME
    begins = month_of(today()) - OVERLAP
    batch = request(name, f"{unit_id}, case key", passphrase, begins, encrypts=True)
    made = make_key(home, batch, passphrase)
    (folder / CASE_CERTIFICATE).write_text(public_part(home, made), "ascii")


def add_case_key(folder: Path, passphrase: str | None) -> None:
    """For keys made before there were case keys: make one, and seal the reply key to it.

    Raises CeremonyFailed, or UnfitRegistry when the unit's card is not in `folder`.
    """
    card = read_unit_card(folder)
    content = bytearray()
    try:
        Opener(folder / GNUPG_HOME).open(folder / REPLY_KEY, content.extend, ask=True)
    except OpeningFailed as error:
        raise CeremonyFailed(f"The key that signs answers does not open. {error}") from error
    make_case_key(folder, card.id, card.name, passphrase)
    _seal_reply_key(folder, bytes(content))


def extend(folder: Path, months: int, passphrase: str | None) -> Extended:
    """Add months to a unit's certificate, after its last one, and write a new card beside the old.

    The primary key's secret must be in the home, or on a card in its reader. Raises CeremonyFailed, UnfitRegistry or
    FileExistsError.
    """
    card, home = read_unit_card(folder), folder / GNUPG_HOME
    keys = keys_of(home, card.fingerprint)
    if not keys or keys[0].where is Where.GONE:
        raise CeremonyFailed("The primary key is not here. Restore it from its shares first.")
    made, this_month = epochs_of(keys), month_of(today())
    first = max(month_after(made[-1].month), this_month) if made else this_month
    spans = ahead(first, months, is_new=not made)
    file = folder / f"unit-card-{spans[-1].month:%Y-%m}.json"
    if file.exists():
        raise FileExistsError(None, "exists", os.fspath(file))
    add_epochs(home, card.fingerprint, spans, passphrase)
    longer = replace(card, certificate=public_part(home, card.fingerprint))
    write_card(file, longer)
    write_whole(folder / CERTIFICATE, longer.certificate.encode("ascii"))
    return Extended(longer, file, spans[-1].month)


def change_unit_passphrase(folder: Path, old: str, new: str) -> None:
    """Another passphrase for all secret keys of a unit's home, older certificates brought over among them.

    Can be repeated: where it was cut short, and once more with the passphrase of those that have another. Raises
    CeremonyFailed, naming those that refused; all others have the new one.
    """
    check_passphrase(new)
    home = folder / GNUPG_HOME
    certificates = secret_certificates(home)
    if not certificates:
        raise CeremonyFailed(f"{folder} has no secret keys. Name the folder of a unit's keys.")
    refused = [certificate for certificate in certificates if not _is_changed(home, certificate, old, new)]
    if refused:
        others = "The others have the new one. " if len(refused) < len(certificates) else ""
        raise CeremonyFailed(
            f"GnuPG did not change the passphrase of {', '.join(refused)}. Is the old one right? {others}Keys that "
            "were brought over keep the one they had: run this again with it, and the same new one."
        )


def _is_changed(home: Path, certificate: str, old: str, new: str) -> bool:
    if old and any(is_unprotected(home, key) for key in keys_of(home, certificate)):
        return False  # gpg would ask for no old one, and take it for the new one of the first key
    for begun in (False, True):
        end_agent(home)  # else it would not ask for the old one
        with suppress(CeremonyFailed):
            change_passphrase(home, certificate, old, new, begun=begun)
            return True
    return False


def read_unit_card(folder: Path) -> UnitCard:
    """The unit's own card in a folder. Raises CeremonyFailed or UnfitRegistry."""
    try:
        card = read_card(folder / UNIT_CARD)
    except FileNotFoundError as error:
        raise CeremonyFailed(f"{folder} has no {UNIT_CARD}. Name the folder of a unit's keys.") from error
    if not isinstance(card, UnitCard):
        raise UnfitRegistry(f"{folder / UNIT_CARD} is not a unit's card. Put the unit's own card there.")
    return card


def _seal_reply_key(folder: Path, content: bytes) -> None:
    part = folder / f"{REPLY_KEY}.part"
    part.unlink(missing_ok=True)
    Sealer(folder / "sealing").seal(io.BytesIO(content), [folder / CASE_CERTIFICATE], part)
    part.chmod(0o600)
    part.rename(folder / REPLY_KEY)
    (folder / "sealing").rmdir()
