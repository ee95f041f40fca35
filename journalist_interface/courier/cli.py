"""`candour courier`: collect onto a stick, deliver from a stick, and, for the demo, a whole round."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from common.config import BadConfiguration
from common.registry import RegistryRefused
from journalist_interface.courier.client import CollectionClient
from journalist_interface.courier.collecting import Collected, collect
from journalist_interface.courier.config import CourierConfig, read_courier_config
from journalist_interface.courier.delivering import Delivered, deliver
from journalist_interface.courier.desk_side import ask_desk
from journalist_interface.courier.errors import CourierError
from journalist_interface.courier.patience import Patience
from journalist_interface.courier.progress import Progress
from journalist_interface.courier.state import State

_DEFAULT_DATA = Path(__file__).resolve().parents[2] / "var"


@dataclass
class _Chosen:
    """The options, wherever on the command line they stood."""

    config: Path | None = None
    data: Path | None = None
    socks: str | None = None

    @property
    def data_folder(self) -> Path:
        return self.data or _DEFAULT_DATA

    @property
    def config_file(self) -> Path:
        return self.config or self.data_folder / "courier" / "courier.toml"


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
@_options
@click.pass_obj
def round_command(chosen: _Chosen) -> None:
    """For the demo: collect, let the desk import and export, deliver."""
    stick = chosen.data_folder / "stick"
    with _at_work(chosen) as (config, client, state):
        collected = collect(client, state, stick, config, Progress())
        click.echo(_collected_in_words(collected))
        for task in ("import", "export"):
            click.echo(ask_desk(chosen.data_folder, task))
        delivered = deliver(client, state, stick, config.its_unit(), Progress())
    _finish(_delivered_in_words(delivered), (*collected.left, *delivered.left))


@contextmanager
def _at_work(chosen: _Chosen) -> Iterator[tuple[CourierConfig, CollectionClient, State]]:
    """The parts of a courier at work; whatever stops it comes out as one sentence."""
    try:
        config = read_courier_config(chosen.config_file, chosen.socks)
        client = CollectionClient(config.collection, config.identity, config.socks, Patience())
        with State.held(config.state) as state:
            yield config, client, state
    except (CourierError, BadConfiguration, RegistryRefused) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise click.ClickException(
            f"The stick or the state folder cannot be used: {error.strerror or 'it failed'}{where}. "
            "Mend that and run the command again; nothing is lost."
        ) from error


def _finish(words: str, left: tuple[str, ...]) -> None:
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
    if not done.replies and not done.bundles:
        return "There are no replies to deliver." if not done.left else "No replies were delivered."
    return f"{_count(done.replies, 'reply', 'replies')} delivered."


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
