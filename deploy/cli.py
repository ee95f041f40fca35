"""The `candour` command. Each sub-command is imported when it is called, so that --help is quick."""

import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import click

from deploy.errors import DeployError
from deploy.host.place import Place
from deploy.options import chosen, data_option, default_data, is_host, ports_options, where_options

PROJECT = Path(__file__).resolve().parents[1]


def _module_file(module: str) -> Path:
    return PROJECT.joinpath(*module.split(".")).with_suffix(".py")


class LazyGroup(click.Group):
    """A group that knows other rooms' commands by name and one line, and imports one when it runs."""

    # name -> where the command is, what --help says of it
    ELSEWHERE: ClassVar[dict[str, tuple[str, str]]] = {
        "backup": ("deploy.backup.command:backup", "Save a host into one file, sealed to its operator."),
        "restore": ("deploy.backup.command:restore", "Put a backup in place on a clean machine."),
        "deploy": ("deploy.operations:operating", "What an operator does on the host."),
        "drill": ("deploy.workshop.drills.command:drill", "Rehearse what to do on a bad day."),
        "settle": ("deploy.run.settle:settle", "Let pass what waits between the units and the servers."),
        "courier": (
            "journalist_interface.courier.cli:courier",
            "Carry sealed bundles between collection and desk.",
        ),
        "keys": ("keys.commands.main:keys", "Make a unit's keys; sign and verify the registry."),
    }

    # name -> the room that a command of this file needs; a host has not all rooms
    NEEDS: ClassVar[dict[str, str]] = dict.fromkeys(
        ("up", "desk", "test", "testnet", "bench"), "deploy.workshop"
    )

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted(
            name for name in (*super().list_commands(context), *self.ELSEWHERE) if self._is_here(name)
        )

    def _is_here(self, name: str) -> bool:
        module = self.NEEDS.get(name) or self.ELSEWHERE.get(name, ("deploy.cli", ""))[0].partition(":")[0]
        return PROJECT.joinpath(*module.split(".")).is_dir() or _module_file(module).is_file()

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if (name in self.ELSEWHERE or name in self.NEEDS) and not self._is_here(name):
            raise click.UsageError(
                f"`candour {name}` is not on this host: a host has only what its services need. Run it from the "
                "project's folder, on the machine where it belongs."
            )
        if name not in self.ELSEWHERE:
            return super().get_command(context, name)
        module, _, attribute = self.ELSEWHERE[name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        texts = {name: command.get_short_help_str(100) for name, command in self.commands.items()}
        texts |= {name: text for name, (_, text) in self.ELSEWHERE.items()}
        rows = {name: text for name, text in texts.items() if self._is_here(name)}
        with formatter.section("Commands"):
            formatter.write_dl(sorted(rows.items()))

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except DeployError as error:
            raise click.ClickException(str(error)) from error


def _show_version(context: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked:
        from common.version import VERSION

        click.echo(f"candour {VERSION}")
        context.exit()


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Say which version this is.",
)
@click.pass_context
def candour(context: click.Context) -> None:
    """An anonymous drop for reporting police corruption. Start with: ./candour up"""
    if context.invoked_subcommand != "test":
        os.umask(0o077)  # whatever a command writes is its owner's alone


@candour.command()
@data_option
@ports_options
@click.option("--onion", is_flag=True, help="Lead there by onions too, through the tor of this machine.")
@click.option("--tor-control", metavar="PATH|PORT", help="Its control socket or port.  [default: the usual]")
def up(
    data: Path, source_port: int, collection_port: int, desk_port: int, onion: bool, tor_control: str | None
) -> None:
    """Run the demo: source interface, collection and desk, on this machine only."""
    from deploy.workshop.demo.up import Ports, run_demo

    if tor_control is not None and not onion:
        raise click.UsageError("--tor-control goes with --onion.")
    run_demo(data, Ports(source_port, collection_port, desk_port), _controls(tor_control) if onion else ())


def _controls(untrusted: str | None) -> Sequence[Path | int]:
    from deploy.onions.control import USUAL, read_control

    return USUAL if untrusted is None else [read_control(untrusted)]


@candour.command()
@data_option
@click.option("--unit", metavar="ID", help="Whose desk.  [default: the demo's first unit]")
@click.option(
    "--identity",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="That of identity holders, whose keys are in FOLDER.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), metavar="PORT", help="[default: 8082; with --unit: any]"
)
def desk(data: Path, unit: str | None, identity: Path | None, port: int | None) -> None:
    """Run one desk alone, and print its one-time link."""
    from deploy.data_folder import UNIT_ID
    from deploy.workshop.demo.up import run_desk, run_identity

    if identity is not None:
        if unit is not None:
            raise click.UsageError("--identity names a desk by its folder, without --unit.")
        run_identity(identity, port or 0)
        return
    run_desk(data, (0 if unit else 8082) if port is None else port, unit or UNIT_ID)


@candour.command(context_settings={"ignore_unknown_options": True})
@click.option(
    "--quick",
    is_flag=True,
    help="Only tests that take little, in about a minute: no browser, no Tor, nothing slow, nothing measured.",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[PYTEST ARGUMENTS]")
def test(arguments: Sequence[str], *, quick: bool) -> None:
    """Run every check and test; with arguments, only pytest with them."""
    from deploy.workshop.checks import run_checks

    raise SystemExit(run_checks(list(arguments), quick=quick))


@candour.command()
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="A new folder for its data and logs, which stay.  [default: a temporary one]",
)
def testnet(folder: Path | None) -> None:
    """Run a private Tor network on this machine, for trying out."""
    from deploy.workshop.testnet.command import run_testnet

    run_testnet(folder)


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
    from deploy.workshop.bench.command import run_benches

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
    raise SystemExit(run_doctor(examine(folder or default_data(), ports)))
