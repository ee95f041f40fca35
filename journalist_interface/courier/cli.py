"""`candour courier`: enrol, collect onto a stick, deliver from a stick, and, for the demo, a whole round."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from common.config import BadConfiguration
from common.names import is_short_name
from common.onion import NotAnOnion, onion_address
from common.registry import RegistryRefused
from journalist_interface.courier.client import CollectionClient
from journalist_interface.courier.collecting import Collected, collect
from journalist_interface.courier.config import CourierConfig, read_courier_config
from journalist_interface.courier.delivering import Delivered, deliver
from journalist_interface.courier.desk_side import ask_desk
from journalist_interface.courier.enrolment import enrol
from journalist_interface.courier.errors import CourierError, NotUp, Unreachable
from journalist_interface.courier.patience import Patience
from journalist_interface.courier.progress import Progress
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
@_options
@click.pass_obj
def collect_command(chosen: _Chosen, stick: Path) -> None:
    """Bring everything that waits onto the stick."""
    with _at_work(chosen) as (config, client, state):
        done = collect(client, state, stick, config, Progress())
    _finish(_collected_in_words(done), done.left)


@courier.command("deliver")
@click.option("--from", "stick", type=_STICK, required=True, metavar="DIR", help="The stick.")
@_options
@click.pass_obj
def deliver_command(chosen: _Chosen, stick: Path) -> None:
    """Deliver the sealed replies on the stick."""
    with _at_work(chosen) as (config, client, state):
        done = deliver(client, state, stick, config.its_unit(), Progress())
    _finish(_delivered_in_words(done), done.left)


@courier.command("round")
@click.option("--unit", metavar="ID", callback=_note_unit, expose_value=False, help="Of one unit alone.")
@_options
@click.pass_obj
def round_command(chosen: _Chosen) -> None:
    """For the demo: collect, let the desk import and export, deliver; for each of its units."""
    left: list[str] = []
    for one in chosen.each():
        left += _round(one, quietly=one is not chosen)
    _finish("", tuple(left))


def _round(chosen: _Chosen, *, quietly: bool) -> tuple[str, ...]:
    """One unit's round, which is not spoken of where nothing was there to do. Returns what was left behind."""
    stick = chosen.place / "stick"
    with _at_work(chosen) as (config, client, state), _while_up(chosen):
        if chosen.unit not in (None, config.unit):
            raise click.ClickException(f"There is no courier of {chosen.unit} in {chosen.data_folder}.")
        collected = collect(client, state, stick, config, Progress())
        if quietly and not collected.bundle and not (chosen.place / "desk" / "desk.sqlite").exists():
            return collected.left
        click.echo(f"For {config.unit}:")
        click.echo(_collected_in_words(collected))
        for task in ("import", "export"):
            click.echo(ask_desk(chosen.place, task))
        delivered = deliver(client, state, stick, config.its_unit(), Progress())
    click.echo(_delivered_in_words(delivered))
    return (*collected.left, *delivered.left)


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
    earlier = ""
    if done.acknowledged_from_before:
        earlier = (
            f"{_count(done.acknowledged_from_before, 'envelope')} of an earlier run are acknowledged now. "
        )
    if done.bundle is None:
        return f"{earlier}Nothing waits at the collection."
    return (
        f"{earlier}{_count(done.envelopes, 'envelope')} ({done.size / 1e6:,.1f} MB) brought to {done.bundle}."
    )


def _delivered_in_words(done: Delivered) -> str:
    passed_on = f" {_count(done.forwards, 'report')} passed on." if done.forwards else ""
    if not done.replies and not done.bundles:
        nothing = "There are no replies to deliver." if not done.left else "No replies were delivered."
        return passed_on.strip() or nothing
    return f"{_count(done.replies, 'reply', 'replies')} delivered.{passed_on}"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
