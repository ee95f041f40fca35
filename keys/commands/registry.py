"""The command `candour keys registry`: from a draft to a signed registry in its place. See CEREMONY.md."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import click

from common.days import today
from common.durable import write_whole
from common.phrases import count
from common.phrases import day as day_words
from common.registry import registry as registries
from common.registry.units import Status, Unit, UnitKind
from common.signing import PUBLIC_KEY_BYTES
from common.transport import settled_hours
from common.transport.courier_key import CourierCard
from keys.cards import UnitCard, read_card
from keys.commands.registry_summary import show_registry
from keys.commands.shared import Group, path
from keys.private_key import read_private_key
from keys.registry.changes import changes
from keys.registry.draft import (
    BadDraft,
    Draft,
    no_longer_serving,
    read_any,
    read_draft,
    serving,
    with_status,
    without_courier,
    write_draft,
)
from keys.registry.publication import publish
from keys.registry.renames import merged, renamed
from keys.registry.signature import UnfitRegistry, check_version_is_new, sign_registry
from keys.unit.identity_key import read_identity_card, with_identity, without_former

_DAY = click.DateTime(["%Y-%m-%d"])
_FILE = path(exists=True, dir_okay=False)
_NONE = "none"


def _one_of(kinds: type[StrEnum]) -> click.Choice[str]:
    return click.Choice([kind.value for kind in kinds])


@click.group("registry", cls=Group)
def registry_group() -> None:
    """The list of forces, and of units that reports may be sealed to."""


@registry_group.command("new")
@click.argument("draft", type=path(dir_okay=False))
@click.option("--expires", required=True, type=_DAY, help="Its last day.")
def new(draft: Path, expires: datetime) -> None:
    """Begin a draft: all forces and overseers of the country, no unit yet."""
    begun = Draft.of_the_country(_last_day(expires))
    write_draft(draft, begun, new=True)
    click.echo(
        f"{draft} has {count(len(begun.content.forces), 'force')}. Add the cards of units, of couriers, of the desk."
    )


def _last_day(expires: datetime) -> date:
    """Raises BadDraft for a day on which nothing of it would hold any more."""
    if expires.date() <= today():
        raise BadDraft(
            f"The last day would be {day_words(expires.date())}, and that is not to come. Name a later one."
        )
    return expires.date()


@registry_group.command("add")
@click.argument("draft", type=_FILE)
@click.argument("cards", type=_FILE, nargs=-1, required=True)
@click.option("--kind", type=_one_of(UnitKind), default=UnitKind.UNIT.value, show_default=True)
def add(draft: Path, cards: tuple[Path, ...], kind: str) -> None:
    """Take the keys on CARDS into the draft; a new unit is not enrolled yet."""
    after = before = read_draft(draft)
    couriers_last = sorted(map(read_card, cards), key=lambda card: isinstance(card, CourierCard))
    units = [card.id for card in couriers_last if isinstance(card, UnitCard)]
    if len(set(units)) != len(units):
        raise UnfitRegistry("A unit has two cards here. Give one card a unit.")
    for card in couriers_last:
        after = after.with_card(card, UnitKind(kind))
    _write(draft, before, after)


@registry_group.command("set")
@click.argument("draft", type=_FILE)
@click.argument("unit_id", metavar="[UNIT]", required=False)
@click.option("--expires", type=_DAY, help="The registry's last day. Goes without UNIT.")
@click.option(
    "--settle-every",
    type=click.Choice([str(hours) for hours in settled_hours.EVERY_HOURS]),
    help="Hours between the hours at which units are shown what arrived. Goes without UNIT.",
)
@click.option("--status", type=_one_of(Status))
@click.option("--serves", metavar="FORCE", help="A force it serves; see --from and --until.")
@click.option("--no-longer-serves", metavar="FORCE", help="A force it serves until the end of --until.")
@click.option("--from", "since", type=_DAY, help="The first day on which it serves that force.")
@click.option("--until", type=_DAY, help="The last day.")
@click.option("--conflict-route", metavar="OVERSEER|none", help="Who gets a report about this unit.")
@click.option("--second-seal", metavar="OVERSEER|none", help="To whom every report to it is also sealed.")
@click.option("--identity", type=_FILE, metavar="CARD", help="The identity key, and who holds it.")
@click.option("--drop-former-identity", metavar="DIGITS", help="Strike a former identity key off.")
@click.option("--language", "languages", multiple=True, help="A language it reads, such as cy. Repeat it.")
@click.option("--drop-courier", metavar="KEYID", help="Strike a courier's key off.")
def set_(
    draft: Path, unit_id: str | None, expires: datetime | None, settle_every: str | None, **asked: Any
) -> None:
    """Change what the draft says of UNIT, the registry's last day, or its settled hours."""
    before = read_draft(draft)
    after = before if expires is None else before.with_expiry(_last_day(expires))
    after = after if settle_every is None else after.settled_every(int(settle_every))
    if unit_id is None and any(asked.values()):
        raise click.UsageError("name the UNIT that this is about.")
    _check_days(asked)
    for named in filter(None, (asked["serves"], asked["no_longer_serves"])):
        after.force(named)
    for named in filter(None, (asked["conflict_route"], asked["second_seal"])):
        if named != _NONE:
            after.overseer(named)
    if unit_id is not None:
        unit = after.unit(unit_id)
        for option, edit in _EDITS.items():
            unit = edit(unit, asked) if asked[option] else unit
        after = after.with_unit(unit)
    _write(draft, before, after)


def _check_days(asked: Mapping[str, Any]) -> None:
    """Raises UsageError where the days do not belong to one force."""
    begins, ends = asked["serves"], asked["no_longer_serves"]
    if begins and ends:
        raise click.UsageError("--serves and --no-longer-serves are two changes: make one after the other.")
    if ends and (asked["since"] or not asked["until"]):
        raise click.UsageError("--no-longer-serves takes --until, the last day, and no other.")
    if (asked["since"] or asked["until"]) and not (begins or ends):
        raise click.UsageError("--from and --until go with --serves.")


def _no_longer_serving(unit: Unit, asked: Mapping[str, Any]) -> Unit:
    return no_longer_serving(unit, asked["no_longer_serves"], asked["until"].date())


def _serving(unit: Unit, asked: Mapping[str, Any]) -> Unit:
    since, until = asked["since"], asked["until"]
    return serving(unit, asked["serves"], since and since.date(), until and until.date())


def _with_identity(unit: Unit, asked: Mapping[str, Any]) -> Unit:
    return with_identity(unit, read_identity_card(asked["identity"]))


# Each option of `set`, and what it does to the unit.
_EDITS: Mapping[str, Callable[[Unit, Mapping[str, Any]], Unit]] = {
    "serves": _serving,
    "no_longer_serves": _no_longer_serving,
    "status": lambda unit, asked: with_status(unit, Status(asked["status"])),
    "conflict_route": lambda unit, asked: replace(unit, conflict_route=_or_none(asked["conflict_route"])),
    "second_seal": lambda unit, asked: replace(unit, second_seal=_or_none(asked["second_seal"])),
    "identity": _with_identity,
    "drop_former_identity": lambda unit, asked: without_former(unit, asked["drop_former_identity"]),
    "languages": lambda unit, asked: replace(unit, languages=asked["languages"]),
    "drop_courier": lambda unit, asked: without_courier(unit, asked["drop_courier"]),
}


def _or_none(named: str) -> str | None:
    return None if named == _NONE else named


@registry_group.command("rename")
@click.argument("draft", type=_FILE)
@click.argument("force")
@click.argument("name", metavar="NEW_NAME")
@click.option("--from", "since", required=True, type=_DAY, help="The first day of the new name.")
def rename(draft: Path, force: str, name: str, since: datetime) -> None:
    """Give FORCE another name from a day on. The old one is kept, and still found."""
    before = read_draft(draft)
    _write(draft, before, renamed(before, force, name, since.date()))


@registry_group.command("merge")
@click.argument("draft", type=_FILE)
@click.argument("forces", metavar="FORCE...", nargs=-1, required=True)
@click.option("--into", required=True, metavar="FORCE", help="What they become part of.")
@click.option("--from", "since", required=True, type=_DAY, help="The first day on which they are.")
@click.option("--new-name", metavar="NAME", help="Its name, where it is a new force: it is listed at once.")
def merge(draft: Path, forces: tuple[str, ...], into: str, since: datetime, new_name: str | None) -> None:
    """Let each FORCE become part of another. Who serves that one gets its reports from that day on."""
    before = read_draft(draft)
    _write(draft, before, merged(before, forces, into, since.date(), new_name))


def _write(file: Path, before: Draft, after: Draft) -> None:
    """Write the draft, and say what became of it."""
    write_draft(file, after)
    _say_changes(before, after)


def _say_changes(before: Draft, after: Draft) -> None:
    said = list(changes(before.content, after.content, today()))
    for sentence in said or ["Nothing changes."]:
        click.echo(sentence)


@registry_group.command("diff")
@click.argument("old", type=_FILE)
@click.argument("new", type=_FILE)
def diff(old: Path, new: Path) -> None:
    """Say in words what changes from OLD to NEW, each a draft or a registry. Signatures are not looked at."""
    _say_changes(read_any(old), read_any(new))


@registry_group.command("sign")
@click.argument("draft", type=_FILE)
@click.argument("out", type=path(dir_okay=False))
@click.option("--root-key", required=True, type=_FILE)
@click.option(
    "--version",
    required=True,
    type=click.IntRange(1, registries.MOST_VERSION),
    help="Higher than the last one's.",
)
def sign(draft: Path, out: Path, root_key: Path, version: int) -> None:
    """Sign what DRAFT says, and write the registry to OUT. Those beside it, *.json, must be of lower versions."""
    registry = read_draft(draft).to_sign(version, today())
    protected = b"ENCRYPTED" in root_key.read_bytes()
    passphrase = click.prompt("Passphrase of the root key", hide_input=True) if protected else None
    signed = sign_registry(registry, root_key, passphrase)
    check_version_is_new(
        out, signed, version, read_private_key(root_key, passphrase).public_key().public_bytes_raw()
    )
    write_whole(out, signed)
    show_registry(registry)
    click.echo(f"Signed: {out}")


@registry_group.command("verify")
@click.argument("file", type=_FILE)
@click.option("--root", required=True, metavar="HEX|FILE", help="The root's public key.")
def verify(file: Path, root: str) -> None:
    """Say whether the registry in FILE holds today, and what is in it."""
    registry = registries.verify(file.read_bytes(), read_digits(root), today())
    click.echo("The signature holds.")
    show_registry(registry)


@registry_group.command("publish")
@click.argument("file", type=_FILE)
@click.argument("folders", type=path(), nargs=-1, required=True)
@click.option("--root", required=True, metavar="HEX|FILE", help="The root's public key.")
def publish_(file: Path, folders: tuple[Path, ...], root: str) -> None:
    """Put the registry in FILE into each of FOLDERS: all of them, or none where one is refused."""
    for written in publish(file.read_bytes(), read_digits(root), *folders):
        click.echo(f"Published: {written}")


def read_digits(hex_or_file: str) -> bytes:
    """A root's public key, 32 bytes, from its digits or a file that holds them. Raises ClickException."""
    file = Path(hex_or_file)
    try:
        root = bytes.fromhex(file.read_text("ascii") if file.is_file() else hex_or_file)
    except ValueError:
        root = b""
    if len(root) != PUBLIC_KEY_BYTES:
        raise click.ClickException("The root is 64 hex digits, or a file that holds them.")
    return root
