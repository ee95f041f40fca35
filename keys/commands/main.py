"""The command `candour keys`: each ceremony as one command, offline, on the machine whose keys they are.

A ceremony leaves a card (JSON) with the public parts alone. Cards go to whoever holds the registry's root key;
the people compare fingerprints over another way, such as a call, before the registry is signed.
"""

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import click

from common.gpg.keyring import end_agent
from common.transport.courier_key import CourierCard, new_courier
from keys.cards import UnitCard, write_card
from keys.commands.card import card_group, lines_of
from keys.commands.identity import identity_group
from keys.commands.registry import registry_group
from keys.commands.root import root_group
from keys.commands.shared import Group, grouped, new_passphrase, one_line, path, short_name
from keys.unit.shares import BOX, restore, split
from keys.unit.smartcard import to_card
from keys.unit.unit_keys import (
    GNUPG_HOME,
    UNIT_CARD,
    add_case_key,
    change_unit_passphrase,
    extend,
    new_unit,
    refuse_existing,
)

COURIER_CARD = "courier-card.json"


@click.group(cls=Group)
def keys() -> None:
    """Make a unit's keys; sign and verify the registry."""


@keys.group("unit")
def unit_group() -> None:
    """The keys of an anti-corruption unit."""


@unit_group.command("new")
@click.argument("folder", type=path(file_okay=False))
@click.option("--id", "unit_id", required=True, callback=short_name, help="The unit's short name.")
@click.option("--name", required=True, callback=one_line, help="The unit's name as reporters read it.")
@click.option("--months", type=click.IntRange(1, 120), default=24, show_default=True)
@click.option("--no-passphrase", is_flag=True, help="Protect nothing: for trying out only.")
def unit_new(folder: Path, unit_id: str, name: str, months: int, no_passphrase: bool) -> None:
    """Make a unit's keys in FOLDER, on the unit's own offline workstation."""
    refuse_existing(folder)
    if (folder / UNIT_CARD).exists():
        raise FileExistsError(None, "exists", os.fspath(folder / UNIT_CARD))
    passphrase = None if no_passphrase else new_passphrase("the unit's keys")
    click.echo("A key for each month is made and protected. This may take two minutes.")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _forgetting(folder):
        made = new_unit(folder, unit_id, name, passphrase=passphrase, months=months)
    card = UnitCard(unit_id, name, made.certificate, made.fingerprint, made.reply_public_key)
    write_card(folder / UNIT_CARD, card)
    click.echo(f"The keys are in {folder}.")
    _hand_over(folder / UNIT_CARD, card)


@unit_group.command("extend")
@click.argument("folder", type=path(file_okay=False, exists=True))
@click.option("--months", type=click.IntRange(1, 120), default=12, show_default=True)
@click.option("--no-passphrase", is_flag=True, help="The keys have none: they are for trying out only.")
def unit_extend(folder: Path, months: int, no_passphrase: bool) -> None:
    """Add months to a unit's certificate, after its last one. Needs the primary key."""
    passphrase = None if no_passphrase else _passphrase("the unit's keys")
    with _forgetting(folder):
        longer = extend(folder, months, passphrase)
    click.echo(f"The certificate now lasts through {longer.last_month:%B %Y}. It is the same certificate.")
    _hand_over(longer.file, longer.card)
    click.echo("Until that is signed, the old end holds.")


@unit_group.command("case-key")
@click.argument("folder", type=path(file_okay=False, exists=True))
@click.option("--no-passphrase", is_flag=True, help="The keys have none: they are for trying out only.")
def unit_case_key(folder: Path, no_passphrase: bool) -> None:
    """Make the case key for keys that have none, and seal the reply key to it."""
    passphrase = None if no_passphrase else _passphrase("the unit's keys")
    with _forgetting(folder):
        add_case_key(folder, passphrase)
    click.echo("The case key is there, and the key that signs answers is sealed to it.")


@unit_group.command("passphrase")
@click.argument("folder", type=path(file_okay=False, exists=True))
def unit_passphrase(folder: Path) -> None:
    """Change the passphrase of all secret keys in FOLDER. Copies of them keep the old one."""
    old = str(click.prompt("Passphrase of the unit's keys so far (empty: none)", hide_input=True, default=""))
    new = new_passphrase("the unit's keys from now on")
    with _forgetting(folder):
        change_unit_passphrase(folder, old, new)
    click.echo("The new passphrase holds. A copy of this folder, or a backup, still opens with the old one.")


@unit_group.command("split")
@click.argument("folder", type=path(file_okay=False, exists=True))
@click.argument("out", type=path(file_okay=False))
@click.option("--need", type=int, default=3, show_default=True, help="How many shares bring the key back.")
@click.option("--of", type=int, default=5, show_default=True, help="How many shares there are.")
@click.option("--remove-primary", is_flag=True, help="Destroy the key in FOLDER once its shares read back.")
@click.option("--no-passphrase", is_flag=True, help="The keys have none: they are for trying out only.")
def unit_split(  # one parameter for each option
    folder: Path, out: Path, need: int, of: int, remove_primary: bool, no_passphrase: bool
) -> None:
    """Split a unit's primary key into shares, one file each in the new folder OUT."""
    passphrase = None if no_passphrase else _passphrase("the unit's keys")
    with _forgetting(folder):
        files = split(folder, out, need=need, of=of, passphrase=passphrase, remove=remove_primary)
    click.echo(
        f"{len(files)} shares are in {out}, one for one person each; {need} of them bring the key back."
    )
    click.echo(f"Everyone gets a copy of {out / BOX} too: it is worth nothing without the shares.")
    if remove_primary:
        click.echo(f"The primary key is no longer in {folder}. The months that were made work on.")


@unit_group.command("restore")
@click.argument("folder", type=path(file_okay=False))
@click.argument("box", type=path(dir_okay=False, exists=True))
@click.argument("shares", nargs=-1, required=True, type=path(dir_okay=False, exists=True))
@click.option("--no-passphrase", is_flag=True, help="The keys have none: they are for trying out only.")
def unit_restore(folder: Path, box: Path, shares: tuple[Path, ...], no_passphrase: bool) -> None:
    """Bring a unit's primary key back from its BOX and enough SHARES, into FOLDER."""
    is_new = not (folder / GNUPG_HOME).is_dir()
    passphrase = new_passphrase("the unit's keys") if is_new and not no_passphrase else None
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _forgetting(folder):
        card = restore(folder, box, shares, passphrase)
    click.echo(f"The primary key is in {folder}: {grouped(card.fingerprint)}")
    if is_new:
        click.echo(
            "It has no months yet, another case key and another key that signs answers. Extend it now."
        )


@unit_group.command("to-card")
@click.argument("folder", type=path(file_okay=False, exists=True))
@click.option("--month", type=click.DateTime(["%Y-%m"]), help="Move this month's key, such as 2027-02.")
@click.option("--case-key", is_flag=True, help="Move the case key.")
def unit_to_card(folder: Path, month: datetime | None, case_key: bool) -> None:
    """Move one key to the OpenPGP card in the reader, in place of what the card had for opening."""
    if case_key == (month is not None):
        raise click.UsageError("Name either --month or --case-key: a card has room for one of them.")
    with _forgetting(folder):
        to_card(folder, month.date() if month else None)
    click.echo(
        "The key is on the card, and no longer in a file here. Copies of this home still have it: destroy them."
    )


@contextmanager
def _forgetting(folder: Path) -> Iterator[None]:
    """End the home's agent afterwards: nothing stays behind that could remember the passphrase."""
    try:
        yield
    finally:
        if (folder / GNUPG_HOME).is_dir():
            end_agent(folder / GNUPG_HOME)


@keys.group("courier")
def courier_group() -> None:
    """The key of a unit's courier machine."""


@courier_group.command("new")
@click.argument("key_file", metavar="KEYFILE", type=path(dir_okay=False))
@click.option("--unit", "unit_id", required=True, callback=short_name, help="The unit's short name.")
def courier_new(key_file: Path, unit_id: str) -> None:
    """Make a courier's key, on the courier machine itself."""
    file = key_file.parent / COURIER_CARD
    if file.exists():
        raise FileExistsError(None, "exists", os.fspath(file))
    made = new_courier(key_file)
    card = CourierCard(unit_id, made.key_id, made.public_key)
    write_card(file, card)
    click.echo(f"The key is in {key_file}.")
    _hand_over(file, card)


def _hand_over(file: Path, card: UnitCard | CourierCard) -> None:
    """Say what to do with a card, and all that is read out of it."""
    click.echo(f"Take {file} to whoever signs the registry, and read all of this out to them when they call:")
    for line in lines_of(card):
        click.echo(line)
    click.echo(f"It is shown again by: ./candour keys card show {shlex.quote(os.fspath(file))}")


def _passphrase(what: str) -> str:
    return str(click.prompt(f"Passphrase for {what}", hide_input=True))


keys.add_command(card_group)
keys.add_command(identity_group)
keys.add_command(registry_group)
keys.add_command(root_group)
