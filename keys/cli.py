"""The command `candour keys`: each ceremony as one command, offline, on the machine whose keys they are.

A ceremony leaves a card (JSON) with the public parts alone. Cards go to whoever holds the registry's root key;
the people compare fingerprints over another way, such as a call, before the registry is signed.
"""

import os
import subprocess
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click

from common import units
from common.courier_key import CourierCard, new_courier
from common.days import today
from common.sealing import SealingFailed, gpg_environment
from common.signing import PUBLIC_KEY_BYTES
from common.units import Force, Registry, RegistryRefused, Unit, is_short_name
from keys.cards import UnitCard, enrolled, is_one_line, write_card
from keys.private import NoSuchKey
from keys.registry import UnfitRegistry, sign_registry
from keys.root import new_root
from keys.unit import GNUPG_HOME, CeremonyFailed, new_unit

UNIT_CARD = "unit-card.json"
COURIER_CARD = "courier-card.json"
_EXPECTED = (CeremonyFailed, NoSuchKey, UnfitRegistry, RegistryRefused, SealingFailed, OSError)


class _Group(click.Group):
    """Errors that people can mend are told in a sentence, without a traceback."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except _EXPECTED as error:
            raise click.ClickException(_sentence(error)) from error


def _sentence(error: Exception) -> str:
    if isinstance(error, FileExistsError):
        return f"{error.filename} is there already, and nothing is ever overwritten. Name another."
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}."
    said = str(error) or str(error.__doc__)
    return said[0].upper() + said[1:] + ("" if said.endswith(".") else ".")


def _short_name(_: click.Context, __: click.Parameter, value: str) -> str:
    if not is_short_name(value):
        raise click.BadParameter("use up to 64 small letters, digits and hyphens, such as west-mercia.")
    return value


def _one_line(_: click.Context, __: click.Parameter, value: str) -> str:
    if not is_one_line(value):
        raise click.BadParameter("use one line of text.")
    return value


def _path(**options: bool) -> click.Path:
    return click.Path(path_type=Path, **options)


@click.group(cls=_Group)
def keys() -> None:
    """Make a unit's keys; sign and verify the registry."""


@keys.group("unit")
def unit_group() -> None:
    """The keys of an anti-corruption unit."""


@unit_group.command("new")
@click.argument("folder", type=_path(file_okay=False))
@click.option("--id", "unit_id", required=True, callback=_short_name, help="The unit's short name.")
@click.option("--name", required=True, callback=_one_line, help="The unit's name as reporters read it.")
@click.option("--force", "forces", nargs=2, multiple=True, metavar="ID NAME", help="A force it serves.")
@click.option("--months", type=click.IntRange(1, 120), default=24, show_default=True)
@click.option("--no-passphrase", is_flag=True, help="Protect nothing: for trying out only.")
def unit_new(  # one for each option
    folder: Path,
    unit_id: str,
    name: str,
    forces: tuple[tuple[str, str], ...],
    months: int,
    no_passphrase: bool,
) -> None:
    """Make a unit's keys in FOLDER, on the unit's own offline workstation."""
    served = tuple(_force(*force) for force in forces)
    passphrase = None if no_passphrase else _new_passphrase("the unit's keys")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        made = new_unit(folder, unit_id, name, passphrase=passphrase, months=months)
    finally:
        _forget_passphrase(folder / GNUPG_HOME)
    card = folder / UNIT_CARD
    reply_key = made.reply_public_key
    write_card(card, UnitCard(Unit(unit_id, name, served, made.certificate, made.fingerprint, reply_key, {})))
    click.echo(f"The keys are in {folder}. Certificate: {grouped(made.fingerprint)}")
    click.echo(f"Take {card} to whoever signs the registry, and read the fingerprint out to them.")


def _force(force_id: str, name: str) -> Force:
    if not is_short_name(force_id) or not is_one_line(name):
        raise click.BadParameter(
            "a force has a short name and a name: --force west-mercia 'West Mercia Police'."
        )
    return Force(force_id, name)


def _forget_passphrase(home: Path) -> None:
    """End the home's agent: nothing stays behind that could remember the passphrase."""
    if home.is_dir():
        command = ["gpgconf", "--homedir", os.fspath(home), "--kill", "gpg-agent"]
        subprocess.run(command, env=gpg_environment(), capture_output=True, check=False)


@keys.group("courier")
def courier_group() -> None:
    """The key of a unit's courier machine."""


@courier_group.command("new")
@click.argument("key_file", metavar="KEYFILE", type=_path(dir_okay=False))
@click.option("--unit", "unit_id", required=True, callback=_short_name, help="The unit's short name.")
def courier_new(key_file: Path, unit_id: str) -> None:
    """Make a courier's key, on the courier machine itself."""
    card = key_file.parent / COURIER_CARD
    if card.exists():
        raise FileExistsError(None, "exists", os.fspath(card))
    made = new_courier(key_file)
    write_card(card, CourierCard(unit_id, made.key_id, made.public_key))
    click.echo(f"The key is in {key_file}. Its public half: {grouped(made.public_key.hex())}")
    click.echo(f"Take {card} to whoever signs the registry, and read these digits out to them.")


@keys.group("root")
def root_group() -> None:
    """The registry's root key."""


@root_group.command("new")
@click.argument("key_file", metavar="KEYFILE", type=_path(dir_okay=False))
@click.option("--no-passphrase", is_flag=True, help="Protect nothing: for trying out only.")
def root_new(key_file: Path, no_passphrase: bool) -> None:
    """Make the root key. It stays offline; the servers and desks get its public half (.pub)."""
    public_file = key_file.with_suffix(".pub")
    if public_file.exists():
        raise FileExistsError(None, "exists", os.fspath(public_file))
    public = new_root(key_file, None if no_passphrase else _new_passphrase("the root key"))
    public_file.write_text(public.hex() + "\n")
    click.echo(f"The root key is in {key_file}, its public half in {public_file}: {grouped(public.hex())}")


@keys.group("registry")
def registry_group() -> None:
    """The list of units that reports may be sealed to."""


@registry_group.command("sign")
@click.argument("out", type=_path(dir_okay=False))
@click.option("--root-key", required=True, type=_path(exists=True, dir_okay=False))
@click.option("--version", required=True, type=click.IntRange(1), help="Higher than the last one's.")
@click.option("--expires", required=True, type=click.DateTime(["%Y-%m-%d"]), help="Its last day.")
@click.option(
    "--card",
    "cards",
    required=True,
    multiple=True,
    type=_path(exists=True, dir_okay=False),
    help="Repeat it.",
)
def registry_sign(
    out: Path, root_key: Path, version: int, expires: datetime, cards: tuple[Path, ...]
) -> None:
    """Sign the registry of the units and couriers whose cards are given."""
    draft = Registry(version, today(), expires.date(), enrolled(cards))
    protected = b"ENCRYPTED" in root_key.read_bytes()
    passphrase = click.prompt("Passphrase of the root key", hide_input=True) if protected else None
    signed = sign_registry(draft, root_key, passphrase)
    part = out.with_name(out.name + ".part")
    part.write_bytes(signed)
    part.replace(out)
    _show(draft)
    click.echo(f"Signed: {out}")


@registry_group.command("verify")
@click.argument("file", type=_path(exists=True, dir_okay=False))
@click.option("--root", required=True, metavar="HEX|FILE", help="The root's public key.")
def registry_verify(file: Path, root: str) -> None:
    """Say whether the registry in FILE holds today, and what is in it."""
    registry = units.verify(file.read_bytes(), _root(root), today())
    click.echo("The signature holds.")
    _show(registry)


def _root(hex_or_file: str) -> bytes:
    file = Path(hex_or_file)
    try:
        root = bytes.fromhex(file.read_text("ascii") if file.is_file() else hex_or_file)
    except ValueError:
        root = b""
    if len(root) != PUBLIC_KEY_BYTES:
        raise click.ClickException("The root is 64 hex digits, or a file that holds them.")
    return root


def _new_passphrase(what: str) -> str:
    return str(click.prompt(f"Passphrase for {what}", hide_input=True, confirmation_prompt="Once more"))


def _show(registry: Registry) -> None:
    click.echo(f"Version {registry.version}, issued on {_day(registry.issued)}.")
    click.echo(f"The last day on which it holds is {_day(registry.expires)}.")
    for unit in registry.units:
        click.echo(f"\n{unit.name} ({unit.id})")
        for force in unit.forces:
            click.echo(f"  serves {force.name} ({force.id})")
        click.echo(f"  certificate    {grouped(unit.fingerprint)}")
        click.echo(f"  signs answers  {grouped(unit.reply_key.hex())}")
        for key_id, public_key in sorted(unit.couriers.items()):
            click.echo(f"  courier {key_id}\n                 {grouped(public_key.hex())}")
        if not unit.couriers:
            click.echo("  no courier: nothing can be collected for it")
    click.echo()


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def grouped(digits: str) -> str:
    """Digits in groups of four, capital letters, as they are read out."""
    return " ".join(digits[at : at + 4] for at in range(0, len(digits), 4)).upper()
