"""The command `candour keys card`: every digit of a card, as its owner reads it out and the registry shows it."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import click

from common import canonical
from common.canonical import NotCanonical
from common.gpg.certificate import look
from common.transport.courier_key import CourierCard
from keys.cards import UnitCard, read_card
from keys.commands.shared import Group, grouped, path
from keys.registry.signature import UnfitRegistry
from keys.unit.identity_key import IdentityCard, read_identity_card


@click.group("card", cls=Group)
def card_group() -> None:
    """The cards with the public parts of keys."""


@card_group.command("show")
@click.argument("file", type=path(exists=True, dir_okay=False))
def show(file: Path) -> None:
    """Show what is on the card in FILE, to be read out to whoever signs the registry."""
    for line in lines_of(_read(file)):
        click.echo(line)


def lines_of(card: UnitCard | CourierCard | IdentityCard) -> Iterator[str]:
    """All that two people compare of a card, in the words of `registry verify`."""
    if isinstance(card, UnitCard):
        yield f"{card.name} ({card.id})"
        yield _line("certificate", card.fingerprint)
        yield _line("signs answers", card.reply_key.hex())
    elif isinstance(card, CourierCard):
        yield f"A courier of {card.unit}"
        yield f"  courier {card.key_id}"
        yield _line("", card.public_key.hex())
    else:
        yield f"The identity key of {card.unit}"
        yield _line("identity key", card.fingerprint)
        for name, public_key in sorted(card.holders.items()):
            yield f"  holds the identity key, with others: {name}"
            yield _line("", public_key.hex())


def _line(what: str, digits: str) -> str:
    return f"  {what:<14} {grouped(digits)}"


def _read(file: Path) -> UnitCard | CourierCard | IdentityCard:
    """Raises UnfitRegistry, also where a fingerprint is not that of the certificate beside it; or UnfitCertificate."""
    with suppress(NotCanonical):
        if canonical.load(file.read_bytes()).get("card") == "identity":
            return read_identity_card(file)
    card = read_card(file)
    if isinstance(card, UnitCard) and look(card.certificate).fingerprint != card.fingerprint:
        raise UnfitRegistry(
            "The certificate on this card is not the one that its fingerprint names. Make it again."
        )
    return card
