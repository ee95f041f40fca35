"""The desk without its pages: `python -m journalist_interface.desk --config desk.toml import|export`.

Says what it did in one line a bundle. Ends with 0, or with 2 and a sentence when something was refused.
"""

import os
import sys
from pathlib import Path

import click

from common.config import BadConfiguration
from common.gpg.sealing import SealingFailed
from common.phrases import count
from common.registry.registry import RegistryRefused
from journalist_interface.desk.answers.composition import NoReplyKey
from journalist_interface.desk.rows.answers import TakenBack
from journalist_interface.desk.services import StickBusy, open_desk
from journalist_interface.desk.stick import bundle_export, bundle_import, disclosures
from journalist_interface.desk.stick.bundle_export import NoStick
from journalist_interface.desk.stick.bundle_import import Imported, Taken

_MOST_SHOWN = 20  # items of a bundle that were set aside
_REFUSALS = (BadConfiguration, RegistryRefused, StickBusy, NoStick, NoReplyKey, TakenBack, SealingFailed)


@click.group()
@click.option(
    "--config", "settings", type=click.Path(path_type=Path), required=True, help="The file desk.toml."
)
@click.pass_context
def main(context: click.Context, settings: Path) -> None:
    """Import sealed reports from the stick, or export sealed answers to it."""
    os.umask(0o077)
    context.obj = settings


@main.command("import")
@click.pass_obj
def import_(settings: Path) -> None:
    """Take every finished bundle of envelopes on the stick."""
    try:
        desk = open_desk(settings)
        done, contacts = bundle_import.import_all(desk), disclosures.import_entries(desk)
    except _REFUSALS as error:
        _refuse(error)
    for line in _lines(done):
        click.echo(line)
    for name in contacts.new:
        click.echo(f"{name}: what the identity holders decided, taken.")
    refused = [*((one.name, one.reason) for one in done.refused), *contacts.refused]
    refused += [(one.name, sentence) for one in done.taken for sentence in _shown(one.aside)]
    for name, reason in refused:
        click.echo(f"{name}: {reason}", err=True)
    if refused:
        sys.exit(2)


@main.command("export")
@click.pass_obj
def export(settings: Path) -> None:
    """Write the answers that wait, and receipts for what was imported, to the stick."""
    try:
        done = bundle_export.export_waiting(open_desk(settings))
    except _REFUSALS as error:
        _refuse(error)
    if done.folder:
        answers = [count(done.answers, "answer")] if done.answers else []
        receipts = [f"receipts for {count(done.receipts, 'message')}"] if done.receipts else []
        what = " and ".join([*answers, *receipts])
        click.echo(f"{what[0].upper()}{what[1:]} written to the stick as {done.folder}.")
    if done.forwards:
        click.echo(f"{count(done.forwards, 'report')} written to the stick to be passed on.")
    if not done.folder and not done.forwards:
        click.echo("Nothing is waiting, so nothing was written to the stick.")
    if done.lost:
        click.echo(f"{count(done.lost, 'answer')} could not be opened and still wait on this desk.", err=True)
    if done.forwards_lost:
        click.echo(f"{count(done.forwards_lost, 'report')} to be passed on could not be opened.", err=True)
    if done.lost or done.forwards_lost:
        sys.exit(2)


def _line(taken: Taken) -> str:
    aside = f", {len(taken.aside)} set aside" if taken.aside else ""
    return f"{taken.name}: {taken.new} new, {taken.known} known already{aside}."


def _lines(done: Imported) -> list[str]:
    lines = [_line(taken) for taken in done.taken]
    if not done.taken and not done.refused:
        lines.append("No bundle is on the stick.")
    if done.looked.opened or done.looked.unreadable:
        lines.append(f"{done.looked.opened} opened, {done.looked.unreadable} could not be opened.")
    if done.looked.locked:
        lines.append(
            "What is new waits to be opened: the unit's key is locked. Unlock it, then import again."
        )
    return lines


def _shown(aside: tuple[str, ...]) -> list[str]:
    more = len(aside) - _MOST_SHOWN
    return [*aside[:_MOST_SHOWN], *([f"{more} more items were not taken."] if more > 0 else [])]


def _refuse(error: Exception) -> None:
    click.echo(str(error) or (type(error).__doc__ or ""), err=True)
    sys.exit(2)


if __name__ == "__main__":
    main(prog_name="python -m journalist_interface.desk")
