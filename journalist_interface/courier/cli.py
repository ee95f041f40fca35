"""`candour courier`: enrol, collect onto a stick, deliver from a stick, and, for the demo, a whole round."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from common import phrases
from common.config import BadConfiguration
from common.names import is_short_name
from common.registry.registry import RegistryRefused
from common.transport.onion import NotAnOnion, onion_address
from journalist_interface.courier.client import CollectionClient
from journalist_interface.courier.config import CourierConfig, read_courier_config
from journalist_interface.courier.delivery import Delivered, deliver
from journalist_interface.courier.demo_round import ask_desk, settle
from journalist_interface.courier.enrolment import enrol
from journalist_interface.courier.errors import CourierError, NotUp, Unreachable
from journalist_interface.courier.pickup import Collected, collect
from journalist_interface.courier.progress import Progress
from journalist_interface.courier.retries import Patience
from journalist_interface.courier.state import State

_DEFAULT_DATA = Path(__file__).resolve().parents[2] / "var"


@dataclass
class _Chosen:
    """The options, wherever on the command line they stood."""

    config: Path | None = None
    data: Path | None = None
    unit: str | None = None
    socks: str | None = None

    @property
    def data_folder(self) -> Path:
        return self.data or _DEFAULT_DATA

    @property
    def config_file(self) -> Path:
        return self.config or self.place / "courier" / "courier.toml"

    @property
    def place(self) -> Path:
        """Where the demo keeps the desk, the courier and the stick of the unit that is meant: the first by default."""
        of_its_own = self.data_folder / "units" / (self.unit or "")
        return of_its_own if self.unit and of_its_own.is_dir() else self.data_folder

    @property
    def has_desk(self) -> bool:
        """True where the demo's desk was used."""
        return (self.place / "desk" / "desk.sqlite").exists()

    def check_unit(self, found: str) -> None:
        """Raises a ClickException where the courier that was found is not of the unit that was named."""
        if self.unit not in (None, found):
            raise click.ClickException(f"There is no courier of {self.unit} in {self.data_folder}.")

    def each(self) -> "list[_Chosen]":
        """The couriers meant: the one that was named, or all of the demo's."""
        if self.unit or self.config:
            return [self]
        others = sorted(folder.name for folder in self.data_folder.glob("units/*"))
        return [self, *(replace(self, unit=other) for other in others)]


def _note(context: click.Context, option: click.Parameter, value: Any) -> None:
    chosen = context.ensure_object(_Chosen)
    if value is not None:
        setattr(chosen, str(option.name), value.absolute() if isinstance(value, Path) else value)


def _options(function: Any) -> Any:
    for names, kind, metavar, text in (
        (["--socks"], str, "URL", "Tor's SOCKS port, such as socks5h://127.0.0.1:9050."),
        (["--data"], click.Path(path_type=Path), "DIR", "The data folder.  [default: var/ in the project]"),
        (
            ["--config"],
            click.Path(path_type=Path),
            "FILE",
            "[default: courier/courier.toml in the data folder]",
        ),
    ):
        function = click.option(
            *names, type=kind, metavar=metavar, help=text, expose_value=False, callback=_note
        )(function)
    return function


def _short_name(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    if value is not None and not is_short_name(value):
        raise click.BadParameter("use up to 64 small letters, digits and hyphens, such as west-mercia.")
    return value


def _note_unit(context: click.Context, option: click.Parameter, value: str | None) -> None:
    _note(context, option, _short_name(context, option, value))


def _address(untrusted: str) -> str:
    try:
        return onion_address(untrusted)
    except NotAnOnion as error:
        raise click.BadParameter(str(error)) from error


@click.group()
@_options
def courier() -> None:
    """Carry sealed bundles between the collection and the desk."""


_STICK = click.Path(path_type=Path)


@courier.command("collect")
@click.option("--to", "stick", type=_STICK, required=True, metavar="DIR", help="The stick.")
@click.option(
    "--again", is_flag=True, help="All that is listed, also what was carried before: a stick was lost."
)
@_options
@click.pass_obj
def collect_command(chosen: _Chosen, stick: Path, again: bool) -> None:
    """Bring everything that is new onto the stick."""
    with _at_work(chosen) as (config, client, state):
        done = collect(client, state, stick, config, Progress(), again=again)
    _finish(_collected_in_words(done), done.left)


@courier.command("deliver")
@click.option("--from", "stick", type=_STICK, required=True, metavar="DIR", help="The stick.")
@_options
@click.pass_obj
def deliver_command(chosen: _Chosen, stick: Path) -> None:
    """Deliver the sealed answers and the receipts on the stick."""
    with _at_work(chosen) as (config, client, state):
        done = deliver(client, state, stick, config.its_unit(), Progress())
    _finish(_delivered_in_words(done), done.left)


@courier.command("round")
@click.option("--unit", metavar="ID", callback=_note_unit, expose_value=False, help="Of one unit alone.")
@_options
@click.pass_obj
def round_command(chosen: _Chosen) -> None:
    """For the demo, for each of its units: the desk exports, what it wrote is delivered, the servers settle, what they
    list is collected, and the desk imports it.
    """
    left: list[str] = []
    for one in chosen.each():
        left += _carry_there(one, quietly=one is not chosen)
    with _in_a_sentence():
        settle(chosen.data_folder)
    for one in chosen.each():
        left += _carry_back(one, quietly=one is not chosen)
    _finish("", tuple(left))


def _carry_there(chosen: _Chosen, *, quietly: bool) -> tuple[str, ...]:
    """From one unit's desk to the servers. Not spoken of where nothing was there. Sentences on what was left behind."""
    if quietly and not chosen.has_desk:
        return ()
    with _at_work(chosen) as (config, client, state), _while_up(chosen):
        chosen.check_unit(config.unit)
        client.returned()  # is it up? The desk is not asked to export before that is known
        exported = ask_desk(chosen.place, "export")
        delivered = deliver(client, state, chosen.place / "stick", config.its_unit(), Progress())
    if delivered != Delivered():
        click.echo(f"From {config.unit}:\n{exported.did}\n{_delivered_in_words(delivered)}")
    return (*exported.did_not, *delivered.left)


def _carry_back(chosen: _Chosen, *, quietly: bool) -> tuple[str, ...]:
    """From the servers to one unit's desk."""
    with _at_work(chosen) as (config, client, state), _while_up(chosen):
        collected = collect(client, state, chosen.place / "stick", config, Progress())
        if quietly and not collected.bundle and not chosen.has_desk:
            return collected.left
        imported = ask_desk(chosen.place, "import")
    click.echo(f"For {config.unit}:\n{_collected_in_words(collected)}\n{imported.did}")
    return (*collected.left, *imported.did_not)


@courier.command("enrol")
@click.argument("address", metavar="ADDRESS", callback=lambda _context, _argument, value: _address(value))
@click.option("--unit", metavar="ID", callback=_short_name, help="The unit's short name.")
@click.option("--name", default="courier", show_default=True, callback=_short_name, help="The machine's.")
@_options
@click.pass_obj
def enrol_command(chosen: _Chosen, address: str, unit: str | None, name: str) -> None:
    """Make this machine's keys, for the collection's onion ADDRESS."""
    with _in_a_sentence():
        made = enrol(chosen.config_file, address, name, unit)
    digits = made.public_key.hex().upper()
    groups = " ".join(digits[at : at + 4] for at in range(0, len(digits), 4))
    click.echo(f"""The keys are in {made.card.parent}. Nothing below is secret.

For the operator, to type on the host. It opens the way to the onion:
    candour deploy admit {made.name} {made.line}

For whoever signs the registry: {made.card}. It counts when they have heard these digits from you:
    courier {made.key_id}
    {groups}

{chosen.config_file} needs the registry beside it, and must say:
    {made.settings.strip().replace(chr(10), chr(10) + "    ")}

The tor that has the key is started with:
    tor -f {shlex.quote(str(made.torrc))}""")


@contextmanager
def _at_work(chosen: _Chosen) -> Iterator[tuple[CourierConfig, CollectionClient, State]]:
    """The parts of a courier at work; whatever stops it comes out as one sentence."""
    with _in_a_sentence():
        config = read_courier_config(chosen.config_file, chosen.socks)
        client = CollectionClient(config.collection, config.identity, config.socks, Patience())
        with State.held(config.state) as state:
            yield config, client, state


@contextmanager
def _while_up(chosen: _Chosen) -> Iterator[None]:
    """Where the demo does not answer, it mostly was not started."""
    try:
        yield
    except Unreachable as error:
        option = f" --data {shlex.quote(str(chosen.data))}" if chosen.data else ""
        raise NotUp(error.why, f"./candour up{option}") from error


@contextmanager
def _in_a_sentence() -> Iterator[None]:
    """Whatever people can mend comes out as a sentence, without a traceback."""
    try:
        yield
    except (CourierError, BadConfiguration, RegistryRefused) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise click.ClickException(
            f"The stick, the keys or the state folder cannot be used: {error.strerror or 'it failed'}{where}. "
            "Mend that and run the command again; nothing is lost."
        ) from error


def _finish(words: str, left: tuple[str, ...]) -> None:
    if words:
        click.echo(words)
    for sentence in left:
        click.echo(sentence, err=True)
    if left:
        raise SystemExit(1)


def _collected_in_words(done: Collected) -> str:
    told = f"what became of {_count(done.told, 'post')}" if done.told else ""
    if done.envelopes:
        rest = f", with {told}" if told else ""
        return f"{_count(done.envelopes, 'envelope')} ({done.size / 1e6:,.1f} MB) brought to {done.bundle}{rest}."
    hour = f"{done.settled:%H:%M} UTC on {phrases.day(done.settled.date())}"
    words = f"No new envelope is listed. The list is that of {hour}."
    if told:
        words += f" {told.capitalize()} is brought to {done.bundle}."
    if done.listed_before:
        words += (
            f" {_count(done.listed_before, 'envelope')} of an earlier run still listed: the desk's receipts are on "
            "their way. If the stick was lost, collect with --again."
        )
    return words


def _delivered_in_words(done: Delivered) -> str:
    done_so = []
    if done.replies:
        done_so.append(f"{_count(done.replies, 'answer')} delivered.")
    if done.receipts:
        done_so.append(f"{_count(done.receipts, 'post')} of receipts delivered.")
    if done.forwards:
        done_so.append(f"{_count(done.forwards, 'report')} passed on.")
    if done_so:
        return " ".join(done_so)
    return "Nothing was delivered." if done.left else "There is nothing to deliver."


def _count(number: int, one: str) -> str:
    return f"{number} {one if number == 1 else one + 's'}"
