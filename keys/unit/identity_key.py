"""A unit's identity key: contact details given in confidence are sealed to it, and two of its holders open them.

It is made on the holders' own offline workstation, which is not the reviewers'. Each holder types a passphrase that no
other learns (common/registry/holders.py). What leaves is a card with the certificate and the holders' public keys.
"""

import io
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

from common import canonical
from common.canonical import NotCanonical
from common.days import today
from common.durable import write_new
from common.gpg.certificate import look
from common.gpg.epochs import OVERLAP, month_of
from common.gpg.opening import Opener
from common.gpg.runner import private_home
from common.gpg.sealing import Sealer
from common.names import is_short_name
from common.registry.holders import (
    GNUPG_HOME,
    HOLDERS,
    MOST_HOLDERS,
    NEEDED,
    SHORTEST_PASSPHRASE,
    draw,
    open_box,
    seal_box,
    together,
)
from common.registry.units import FormerKey, Unit
from common.signing import PUBLIC_KEY_BYTES
from keys.gpg_key import CeremonyFailed, make_key, public_part, request
from keys.registry.signature import UnfitRegistry

IDENTITY_CARD = "identity-card.json"
_REMEMBER_NOTHING = "default-cache-ttl 0\nmax-cache-ttl 0\n"
_TRIAL = b"two of them open this"


@dataclass(frozen=True)
class IdentityCard:
    """The public side of a unit's identity key. `holders`: short name -> Ed25519 public key, 32 bytes."""

    unit: str
    certificate: str  # OpenPGP, ASCII armoured
    fingerprint: str  # 40 hex digits
    holders: Mapping[str, bytes]


def new_identity(folder: Path, unit_id: str, passphrases: Mapping[str, str]) -> IdentityCard:
    """Make an identity key under `folder`: `gnupg/` (private home), `holders/NAME.json`, and the card.

    `passphrases`: of each holder, by short name. Raises CeremonyFailed, also where there is a key already. The home's
    agent may still run when this returns: it is the caller's to end.
    """
    check_holders(tuple(passphrases))
    _check_passphrases(passphrases)
    if any((folder / name).exists() for name in (GNUPG_HOME, HOLDERS, IDENTITY_CARD)):
        raise CeremonyFailed(f"There are keys in {folder} already. Name an empty folder.")
    home = private_home(folder / GNUPG_HOME)
    (home / "gpg-agent.conf").write_text(_REMEMBER_NOTHING, "ascii")
    passphrase, holders = draw(tuple(passphrases))
    secret, begins = passphrase.reveal().decode("ascii"), month_of(today()) - OVERLAP
    name, comment = f"Identity key of {unit_id}", "held by others than the reviewers"
    fingerprint = make_key(home, request(name, comment, secret, begins, encrypts=True), secret)
    card = IdentityCard(
        unit_id,
        public_part(home, fingerprint),
        fingerprint,
        {holder.name: holder.key.public_key().public_bytes_raw() for holder in holders},
    )
    private_home(folder / HOLDERS)
    for holder in holders:
        write_new(box_of(folder, holder.name), seal_box(holder, passphrases[holder.name]))
    _try_all(folder, card, passphrases)
    write_identity_card(folder / IDENTITY_CARD, card)
    return card


def check_holders(names: tuple[str, ...]) -> None:
    """Raises CeremonyFailed where these cannot be an identity key's holders."""
    if not NEEDED <= len(set(names)) == len(names) <= MOST_HOLDERS or not all(map(is_short_name, names)):
        raise CeremonyFailed(
            f"Name {NEEDED} to {MOST_HOLDERS} different holders, in small letters, digits and hyphens."
        )


def box_of(folder: Path, name: str) -> Path:
    """Where a holder's box is."""
    return folder / HOLDERS / f"{name}.json"


def _check_passphrases(passphrases: Mapping[str, str]) -> None:
    if len(set(passphrases.values())) != len(passphrases):
        raise CeremonyFailed("Two holders have chosen one passphrase. Each needs one that no other knows.")
    if any(len(phrase) < SHORTEST_PASSPHRASE or phrase != phrase.strip() for phrase in passphrases.values()):
        raise CeremonyFailed(
            f"A holder's passphrase has {SHORTEST_PASSPHRASE} characters or more, and no space around it: "
            "it alone keeps the others from that holder's share. Five or six random words are good."
        )


def _try_all(folder: Path, card: IdentityCard, passphrases: Mapping[str, str]) -> None:
    """See that what was written opens: every box, and by each pair of them what is sealed to the certificate."""
    boxes = [
        open_box(box_of(folder, name).read_bytes(), name, phrase) for name, phrase in passphrases.items()
    ]
    with TemporaryDirectory() as aside:
        certificate = Path(aside) / "certificate.asc"
        certificate.write_text(card.certificate, "ascii")
        sealed = Sealer(Path(aside) / "sealing").seal_in_memory(_TRIAL, [certificate])
    content = bytearray()
    passphrase = together(boxes[0], boxes[1])
    Opener(folder / GNUPG_HOME).open(io.BytesIO(sealed), content.extend, passphrase=passphrase)
    if bytes(content) != _TRIAL or any(together(*pair) != passphrase for pair in combinations(boxes, NEEDED)):
        raise CeremonyFailed("What was written does not read back. Destroy it and begin again.")


def write_identity_card(file: Path, card: IdentityCard) -> None:
    """Write a card to a new file. Raises FileExistsError."""
    document = {
        "card": "identity",
        "unit": card.unit,
        "certificate": card.certificate,
        "fingerprint": card.fingerprint,
        "holders": {name: canonical.encode(key) for name, key in card.holders.items()},
    }
    with file.open("xb") as stream:
        stream.write(canonical.dump(document))


def read_identity_card(file: Path) -> IdentityCard:
    """The card in a file, its fingerprint looked at by gpg. Raises UnfitRegistry or UnfitCertificate."""
    try:
        document = canonical.load(file.read_bytes())
        holders = canonical.inner(document, "holders")
        card = IdentityCard(
            canonical.text(document, "unit"),
            canonical.text(document, "certificate"),
            canonical.text(document, "fingerprint"),
            {name: canonical.octets(holders, name, PUBLIC_KEY_BYTES) for name in holders},
        )
        if canonical.text(document, "card") != "identity" or not all(
            map(is_short_name, (card.unit, *holders))
        ):
            raise NotCanonical("a card of something else")
    except NotCanonical as error:
        raise UnfitRegistry(
            f"{os.fspath(file)} is not the card of an identity key. Get it again from its holders."
        ) from error
    if look(card.certificate).fingerprint != card.fingerprint:
        raise UnfitRegistry("The certificate on this card is not the one that its fingerprint names.")
    return card


def with_identity(unit: Unit, card: IdentityCard) -> Unit:
    """The unit with the identity key on a card, and its holders. The key that it had is kept as a former one.

    Raises UnfitRegistry for another unit's card.
    """
    if card.unit != unit.id:
        raise UnfitRegistry(f"This is the card of {card.unit}, not of {unit.id}. Take the right one.")
    kept = [*unit.former_identities]
    if unit.takes_contacts:
        kept.append(FormerKey(unit.identity_fingerprint, unit.identity_holders))
    return replace(
        unit,
        former_identities=tuple(key for key in kept if key.fingerprint != card.fingerprint),
        identity_certificate=card.certificate,
        identity_fingerprint=card.fingerprint,
        identity_holders=card.holders,
    )


def without_former(unit: Unit, fingerprint: str) -> Unit:
    """The unit without a former identity key. `fingerprint`: as it is read out. Raises UnfitRegistry for any other."""
    digits = "".join(fingerprint.split()).upper()
    kept = tuple(key for key in unit.former_identities if key.fingerprint != digits)
    if kept == unit.former_identities:
        has = ", ".join(key.fingerprint for key in kept) or "none"
        raise UnfitRegistry(f"The unit {unit.id} has no such former identity key. It has: {has}.")
    return replace(unit, former_identities=kept)
