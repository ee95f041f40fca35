"""Cards: the public parts of a unit's or a courier's keys, on their way to whoever signs the registry.

A card is a small JSON file that proves nothing: what makes it count is that two people compare its fingerprint.
So that what is compared is what is signed, a card with anything else than plain names in it is refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from common import canonical
from common.canonical import NotCanonical
from common.courier_key import CourierCard
from common.signing import PUBLIC_KEY_BYTES
from common.units import Force, Unit, is_short_name
from keys.registry import UnfitRegistry


@dataclass(frozen=True)
class UnitCard:
    """A unit; its couriers have cards of their own."""

    unit: Unit


def is_one_line(untrusted: str) -> bool:
    """True for text that is shown as it is: no control or invisible characters, no space around it."""
    return bool(untrusted) and untrusted == untrusted.strip() and untrusted.isprintable()


def write_card(file: Path, card: UnitCard | CourierCard) -> None:
    """Write a card to a new file. Raises FileExistsError."""
    with file.open("xb") as stream:
        stream.write(
            canonical.dump(_unit_document(card.unit)) if isinstance(card, UnitCard) else card.document()
        )


def _unit_document(unit: Unit) -> dict[str, Any]:
    return {
        "card": "unit",
        "id": unit.id,
        "name": unit.name,
        "forces": [{"id": force.id, "name": force.name} for force in unit.forces],
        "certificate": unit.certificate,
        "fingerprint": unit.fingerprint,
        "reply_key": canonical.encode(unit.reply_key),
    }


def read_card(file: Path) -> UnitCard | CourierCard:
    """The card in a file. Raises UnfitRegistry."""
    try:
        card = canonical.load(file.read_bytes())
        if canonical.text(card, "card") == "courier":
            public_key = canonical.octets(card, "public_key", PUBLIC_KEY_BYTES)
            return CourierCard(_short_name(card, "unit"), _short_name(card, "key_id"), public_key)
        return UnitCard(_read_unit(card))
    except NotCanonical as error:
        raise UnfitRegistry(
            f"{file} is not a card of a unit or courier. Get it again from its owner."
        ) from error


def _read_unit(card: dict[str, Any]) -> Unit:
    return Unit(
        id=_short_name(card, "id"),
        name=_one_line(card, "name"),
        forces=tuple(_read_force(force) for force in canonical.listed(card, "forces")),
        certificate=canonical.text(card, "certificate"),
        fingerprint=_one_line(card, "fingerprint"),
        reply_key=canonical.octets(card, "reply_key", PUBLIC_KEY_BYTES),
        couriers={},
    )


def _read_force(untrusted: Any) -> Force:
    if not isinstance(untrusted, dict):
        raise NotCanonical("not a force")
    return Force(_short_name(untrusted, "id"), _one_line(untrusted, "name"))


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


def enrolled(files: Sequence[Path]) -> tuple[Unit, ...]:
    """The units whose cards these are, each with the couriers whose cards name it. Raises UnfitRegistry."""
    cards = [read_card(file) for file in files]
    given = [card.unit for card in cards if isinstance(card, UnitCard)]
    couriers: dict[str, dict[str, bytes]] = {unit.id: {} for unit in given}
    if len(couriers) != len(given):
        raise UnfitRegistry("A unit has two cards here. Give one card a unit.")
    for card in cards:
        if isinstance(card, CourierCard):
            if card.unit not in couriers:
                raise UnfitRegistry(f"A courier is for {card.unit}, whose own card is missing. Give it too.")
            couriers[card.unit][card.key_id] = card.public_key
    return tuple(replace(unit, couriers=couriers[unit.id]) for unit in given)
