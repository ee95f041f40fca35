"""A desk's web application as every desk has it: its frame, its door, and what it says when something fails.

It serves 127.0.0.1 alone. What nobody expected is logged by kind and place, never by value: any value at a desk may be
of a report.
"""

import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from flask import Flask, Response
from jinja2 import ChoiceLoader, FileSystemLoader
from werkzeug.exceptions import HTTPException

from common.config import BadConfiguration
from common.error_place import kind_and_place
from journalist_interface.workstation.entry import Entry
from journalist_interface.workstation.guard import guard

EXTENSION = "candour"
_SHARED = Path(__file__).parent
_log = logging.getLogger(__name__)


def new_app(
    import_name: str,
    services: object,
    port: int | None,
    *,
    longer_forms: Mapping[str, int] | None = None,
) -> Flask:
    """An application whose pages are added by its desk, at a port, by default the one that CANDOUR_DESK_PORT names.

    `services`: what the pages work with. `longer_forms`: endpoints whose forms may be longer than others, in bytes.
    `app.config["ONE_TIME_LINK"]` is the path that lets in. Raises BadConfiguration.
    """
    app = Flask(import_name, static_folder=_SHARED / "static")
    own = FileSystemLoader(Path(app.root_path) / "templates")
    app.jinja_loader = ChoiceLoader([own, FileSystemLoader(_SHARED / "templates")])
    app.extensions[EXTENSION] = services
    guard(app, Entry(_read_port(port)), longer_forms or {})
    return app


def add_errors(
    app: Flask, of_error: Callable[[Exception], Response | None], of_status: Callable[[int], Response]
) -> None:
    """Show every error as a page. `of_error`: the page of one that was expected; None for any other."""

    def unexpected(error: Exception) -> Response:
        shown = of_error(error)
        if shown is not None:
            return shown
        _log.error("a page failed: %s", kind_and_place(error))
        return of_status(500)

    app.register_error_handler(HTTPException, lambda error: of_status(error.code or 500))
    app.register_error_handler(Exception, unexpected)


def settings_file(settings: Path | str | None) -> Path:
    """The settings that were named, or those that CANDOUR_DESK names. Raises BadConfiguration."""
    return Path(settings or _environment("CANDOUR_DESK"))


def _environment(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise BadConfiguration(f"The environment must say what {name} is.")
    return value


def _read_port(port: int | None) -> int:
    if port is not None:
        return port
    try:
        return int(_environment("CANDOUR_DESK_PORT"))
    except ValueError as error:
        raise BadConfiguration("CANDOUR_DESK_PORT must be a port's number.") from error
