"""Options that commands share: which set-up they are about (a host, or a demo's data folder), and ports."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from deploy.host.place import SETTINGS, Place

F = TypeVar("F", bound=Callable[..., Any])


def is_host(place: Place) -> bool:
    """Whether Candour has been installed there."""
    return (place.path(SETTINGS) / "server.toml").exists()


def where_options(function: F) -> F:
    """--host, --root and --data. The function gets `place`, None for a demo, and `data`, None when not given."""
    for option in (
        click.option("--data", type=click.Path(path_type=Path), metavar="DIR", help="A demo's data folder."),
        click.option("--host", is_flag=True, help="This host, installed with deploy/install."),
        click.option(
            "--root", type=click.Path(path_type=Path), metavar="DIR", help="A host under another root folder."
        ),
    ):
        function = option(function)
    return function


def chosen(data: Path | None, root: Path | None, *, host: bool) -> tuple[Place | None, Path | None]:
    """What was asked for, as (host, data folder); (None, None) for nothing. Raises UsageError for two at once."""
    if (data is not None) + (root is not None) + host > 1:
        raise click.UsageError("Give one of --host, --root and --data.")
    if host or root is not None:
        return Place(root.resolve() if root else Path("/")), None
    return None, data.absolute() if data else None


def data_option(function: F) -> F:
    """--data: a demo's data folder, the project's own by default."""
    return click.option(
        "--data",
        type=click.Path(file_okay=False, path_type=Path),
        callback=lambda _context, _option, value: default_data() if value is None else value.absolute(),
        metavar="DIR",
        help="The data folder.  [default: var/ in the project]",
    )(function)


def default_data() -> Path:
    from deploy.data_folder import DEFAULT_DATA

    return DEFAULT_DATA


def port_option(name: str, default: int, whose: str) -> Callable[[F], F]:
    """The port of one server."""
    return click.option(
        name,
        type=click.IntRange(0, 65535),
        default=default,
        show_default=True,
        metavar="PORT",
        help=f"The {whose}'s port.",
    )


def ports_options(function: F) -> F:
    """The ports of all three."""
    for option in (
        port_option("--desk-port", 8082, "desk"),
        port_option("--collection-port", 8081, "collection"),
        port_option("--source-port", 8080, "source interface"),
    ):
        function = option(function)
    return function
