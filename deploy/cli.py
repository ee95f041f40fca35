"""The `candour` command. Each sub-command is imported when it is called, so that --help is quick."""

import os
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import click

from deploy.errors import DeployError
from deploy.host.place import Place
from deploy.where import chosen, is_host, where_options

F = TypeVar("F", bound=Callable[..., Any])


class LazyGroup(click.Group):
    """A group that knows other rooms' commands by name and one line, and imports one when it runs."""

    # name -> where the command is, what --help says of it
    ELSEWHERE: ClassVar[dict[str, tuple[str, str]]] = {
        "backup": ("deploy.backup.command:backup", "Save a host into one file, sealed to its operator."),
        "restore": ("deploy.backup.command:restore", "Put a backup in place on a clean machine."),
        "sweep": ("deploy.sweep:sweep", "Delete what is past its time."),
        "courier": (
            "journalist_interface.courier.cli:courier",
            "Carry sealed bundles between collection and desk.",
        ),
        "keys": ("keys.cli:keys", "Make a unit's keys; sign and verify the registry."),
    }

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted([*super().list_commands(context), *self.ELSEWHERE])

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in self.ELSEWHERE:
            return super().get_command(context, name)
        module, _, attribute = self.ELSEWHERE[name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        rows = {name: command.get_short_help_str(100) for name, command in self.commands.items()}
        rows |= {name: text for name, (_, text) in self.ELSEWHERE.items()}
        with formatter.section("Commands"):
            formatter.write_dl(sorted(rows.items()))

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except DeployError as error:
            raise click.ClickException(str(error)) from error


def data_option(function: F) -> F:
    return click.option(
        "--data",
        type=click.Path(file_okay=False, path_type=Path),
        callback=lambda _context, _option, value: _default_data() if value is None else value.absolute(),
        metavar="DIR",
        help="The data folder.  [default: var/ in the project]",
    )(function)


def _default_data() -> Path:
    from deploy.demo import DEFAULT_DATA

    return DEFAULT_DATA


def port_option(name: str, default: int, whose: str) -> Callable[[F], F]:
    return click.option(
        name,
        type=click.IntRange(0, 65535),
        default=default,
        show_default=True,
        metavar="PORT",
        help=f"The {whose}'s port.",
    )


def ports_options(function: F) -> F:
    for option in (
        port_option("--desk-port", 8082, "desk"),
        port_option("--collection-port", 8081, "collection"),
        port_option("--source-port", 8080, "source interface"),
    ):
        function = option(function)
    return function


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.pass_context
def candour(context: click.Context) -> None:
    """An anonymous drop for reporting police corruption. Start with: ./candour up"""
    if context.invoked_subcommand != "test":
        os.umask(0o077)  # whatever a command writes is its owner's alone


@candour.command()
@data_option
@ports_options
def up(data: Path, source_port: int, collection_port: int, desk_port: int) -> None:
    """Run the demo: source interface, collection and desk, on this machine only."""
    from deploy.up import Ports, run_demo

    run_demo(data, Ports(source_port, collection_port, desk_port))


@candour.command()
@data_option
@port_option("--port", 8082, "desk")
def desk(data: Path, port: int) -> None:
    """Run the desk alone, and print its one-time link."""
    from deploy.up import run_desk

    run_desk(data, port)


@candour.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[PYTEST ARGUMENTS]")
def test(arguments: Sequence[str]) -> None:
    """Run every check and test; with arguments, only pytest with them."""
    from deploy.checks import run_checks

    raise SystemExit(run_checks(list(arguments)))


@candour.command()
@click.argument("names", nargs=-1, metavar="[NAME…]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of the table.")
@click.option("--readme", is_flag=True, help="Write the table into README.md.")
@click.option(
    "--scratch",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where to work: about 12 GB.  [default: the project's folder]",
)
def bench(names: Sequence[str], as_json: bool, readme: bool, scratch: Path | None) -> None:
    """Measure the real servers beside the bare tools, in one run."""
    from deploy.bench.command import run_benches

    raise SystemExit(run_benches(list(names), as_json=as_json, readme=readme, folder=scratch))


@candour.command()
@where_options
@ports_options
def doctor(
    data: Path | None, root: Path | None, host: bool, source_port: int, collection_port: int, desk_port: int
) -> None:
    """Say what is wrong with a set-up, and how to mend it. On a host: of the host."""
    from deploy.doctor.examination import examine, examine_all_of_host, run_doctor

    place, folder = chosen(data, root, host=host)
    if place is None and folder is None and is_host(Place(Path("/"))):
        place = Place(Path("/"))
    if place is not None:
        raise SystemExit(run_doctor(examine_all_of_host(place)))
    ports = {"--source-port": source_port, "--collection-port": collection_port, "--desk-port": desk_port}
    raise SystemExit(run_doctor(examine(folder or _default_data(), ports)))
