"""Cards: the public parts of a unit's or a courier's keys, on their way to whoever signs the registry.

A card is a small JSON file that proves nothing: what makes it count is that two people compare its fingerprint.
So that what is compared is what is signed, a card with anything else than plain names in it is refused.
Which forces a unit serves is no matter of its card: whoever signs the registry decides it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import canonical
from common.canonical import NotCanonical
from common.names import is_one_line, is_short_name
from common.signing import PUBLIC_KEY_BYTES
from common.transport.courier_key import CourierCard
from keys.registry.signature import UnfitRegistry


@dataclass(frozen=True)
class UnitCard:
    """The public keys of a unit, a charity's desk or an overseer; its couriers have cards of their own."""

    id: str
    name: str
    certificate: str  # OpenPGP, ASCII armoured
    fingerprint: str  # 40 hex digits
    reply_key: bytes  # Ed25519, 32 bytes


def write_card(file: Path, card: UnitCard | CourierCard) -> None:
    """Write a card to a new file. Raises FileExistsError."""
    with file.open("xb") as stream:
        stream.write(canonical.dump(_unit_document(card)) if isinstance(card, UnitCard) else card.document())


def _unit_document(card: UnitCard) -> dict[str, Any]:
    return {
        "card": "unit",
        "id": card.id,
        "name": card.name,
        "certificate": card.certificate,
        "fingerprint": card.fingerprint,
        "reply_key": canonical.encode(card.reply_key),
    }


def read_card(file: Path) -> UnitCard | CourierCard:
    """The card in a file. Raises UnfitRegistry."""
    try:
        card = canonical.load(file.read_bytes())
        kind = canonical.text(card, "card")
        if kind == "courier":
            public_key = canonical.octets(card, "public_key", PUBLIC_KEY_BYTES)
            return CourierCard(_short_name(card, "unit"), _short_name(card, "key_id"), public_key)
        if kind == "unit":
            return _read_unit(card)
        raise NotCanonical("a card of something else")
    except NotCanonical as error:
        raise UnfitRegistry(
            f"{file} is not a card of a unit or courier. Get it again from its owner."
        ) from error


def _read_unit(card: dict[str, Any]) -> UnitCard:
    return UnitCard(
        id=_short_name(card, "id"),
        name=_one_line(card, "name"),
        certificate=canonical.text(card, "certificate"),
        fingerprint=_one_line(card, "fingerprint"),
        reply_key=canonical.octets(card, "reply_key", PUBLIC_KEY_BYTES),
    )


def _short_name(card: dict[str, Any], key: str) -> str:
    value = canonical.text(card, key)
    if not is_short_name(value):
        raise NotCanonical(f"{key} is not a short name")
    return value


def _one_line(card: dict[str, Any], key: str) -> str:
    value = canonical.text(card, key)
    if not is_one_line(value):
        raise NotCanonical(f"{key} is not one line")
    return value
