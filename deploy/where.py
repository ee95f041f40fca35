"""Which set-up a command is about: this host, a host under another root folder, or a demo's data folder."""

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
