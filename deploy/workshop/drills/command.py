"""`candour drill`: lists the drills, or rehearses one. Its exit code is not 0 when a check fails."""

import logging
import signal
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import click

PAGES = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Drill:
    """A line of the list, and the module that rehearses it."""

    line: str
    module: str


DRILLS: Mapping[str, Drill] = {
    "unit-key-stolen": Drill("somebody has a copy of a unit’s keys", "unit_key"),
    "courier-lost": Drill("a courier’s machine or stick is gone", "courier_device"),
    "reviewer-leaves": Drill("somebody who knew the passphrase goes", "reviewer"),
    "root-changes": Drill("the registry’s root must change, or was stolen", "registry_root"),
    "server-key-gone": Drill("pepper, onions’ keys or the backup’s key are lost, or stolen", "server_key"),
}


@click.command()
@click.argument("name", type=click.Choice(list(DRILLS)), required=False)
def drill(name: str | None) -> None:
    """Rehearse a bad day, in a throw-away country with real keys. Without NAME: list the drills."""
    if name is None:
        for each, entry in DRILLS.items():
            click.echo(f"{each:<16} {entry.line}; page: {(PAGES / each).with_suffix('.md')}")
        return
    signal.signal(
        signal.SIGTERM, signal.default_int_handler
    )  # so that the country goes with whoever is ended
    logging.disable(logging.CRITICAL)  # servers that refuse what they are meant to refuse say so
    try:
        failed = rehearse(name, click.echo)
    finally:
        logging.disable(logging.NOTSET)
    if failed:
        raise SystemExit(1)


def rehearse(name: str, say: Callable[[str], None], template: Path | None = None) -> list[str]:
    """Rehearse a drill: the claims that failed. `template`: a country to be copied rather than made."""
    from deploy.run.progress import step
    from deploy.workshop.drills.country import throw_away
    from deploy.workshop.drills.rehearsal import Rehearsal

    rehearsal = Rehearsal(say)
    module = import_module(f"deploy.workshop.drills.{DRILLS[name].module}")
    say(f"{name}: {DRILLS[name].line}. The page: {(PAGES / name).with_suffix('.md')}")
    say("Keys of the rehearsal have no passphrase, and go with its folder at the end.")
    with ExitStack() as stack:
        with step("Making a throw-away country with real keys"):
            country = stack.enter_context(throw_away(template))
        rehearsal.end(module.rehearse(rehearsal, country))
    return rehearsal.failed
