"""The desk's application. Create it with `create_app()`; it serves 127.0.0.1 alone, by the rules of `guard`.

What goes wrong is logged as an error's class and place: never a value, since any value here may be of a report.
"""

import logging
import os
from pathlib import Path

from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from common.config import BadConfiguration
from journalist_interface.desk import saving, views
from journalist_interface.desk.entry import Entry
from journalist_interface.desk.guard import guard
from journalist_interface.desk.places import where
from journalist_interface.desk.problems import Problem, of_error, of_status, show
from journalist_interface.desk.workplace import open_desk

MOST_ANSWER_BYTES = 1024 * 1024  # an answer that is far too long comes back to be shortened

_log = logging.getLogger(__name__)


def create_app(settings: Path | str | None = None, port: int | None = None) -> Flask:
    """The desk of a settings file at a port; by default those that CANDOUR_DESK and CANDOUR_DESK_PORT name.

    `app.config["ONE_TIME_LINK"]` is the path that lets in. Raises BadConfiguration.
    """
    desk = open_desk(Path(settings or environment("CANDOUR_DESK")))
    entry = Entry(read_port(port))
    saving.clear_unfinished(desk.settings.saved)
    app = Flask(__name__)
    app.extensions["desk"] = desk
    guard(app, entry, dict.fromkeys(views.TAKES_ANSWERS, MOST_ANSWER_BYTES))
    app.register_error_handler(HTTPException, lambda error: show(of_status(error.code or 500)))
    app.register_error_handler(Exception, _on_error)
    views.register(app)
    desk.cabinet.rest()
    return app


def _on_error(error: Exception) -> Response:
    problem = of_error(error)
    if problem is None:
        _log.error("a page failed: %s", where(error))
        problem = Problem.unexpected()
    return show(problem)


def environment(name: str) -> str:
    """What the environment says. Raises BadConfiguration where it says nothing."""
    value = os.environ.get(name)
    if not value:
        raise BadConfiguration(f"The environment must say what {name} is.")
    return value


def read_port(port: int | None) -> int:
    """The port that a desk listens on. Raises BadConfiguration."""
    if port is not None:
        return port
    try:
        return int(environment("CANDOUR_DESK_PORT"))
    except ValueError as error:
        raise BadConfiguration("CANDOUR_DESK_PORT must be a port's number.") from error
