"""The desk's application. Create it with `create_app()`; it serves 127.0.0.1 alone.

Every answer is kept by no cache, names no referrer, runs no script and can be framed by nobody. What goes wrong is
logged as an error's class and place: never a value, since any value here may be of a report.
"""

import logging
import os
from pathlib import Path

from flask import Flask, Response, abort, g, request
from werkzeug.exceptions import HTTPException

from common.config import BadConfiguration
from journalist_interface.desk import saving, views
from journalist_interface.desk.entry import Entry
from journalist_interface.desk.places import where
from journalist_interface.desk.problems import Problem, of_error, of_status, show
from journalist_interface.desk.workplace import open_desk

MOST_FORM_BYTES = 64 * 1024
MOST_ANSWER_BYTES = 1024 * 1024  # an answer that is far too long comes back to be shortened
_URLENCODED = "application/x-www-form-urlencoded"
_OPEN_TO_ALL = {"entering.enter", "static"}

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

_log = logging.getLogger(__name__)


def create_app(settings: Path | str | None = None, port: int | None = None) -> Flask:
    """The desk of a settings file at a port; by default those that CANDOUR_DESK and CANDOUR_DESK_PORT name.

    `app.config["ONE_TIME_LINK"]` is the path that lets in. Raises BadConfiguration.
    """
    desk = open_desk(Path(settings or _environment("CANDOUR_DESK")))
    entry = Entry(_port(port))
    saving.clear_unfinished(desk.settings.saved)
    app = Flask(__name__)
    app.config["ONE_TIME_LINK"] = entry.link
    app.config["MAX_CONTENT_LENGTH"] = MOST_FORM_BYTES
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.extensions["desk"] = desk
    app.extensions["entry"] = entry
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.before_request(lambda: _admit(entry))
    app.after_request(_protect)
    app.register_error_handler(HTTPException, lambda error: show(of_status(error.code or 500)))
    app.register_error_handler(Exception, _on_error)
    views.register(app)
    desk.cabinet.rest()
    return app


def _admit(entry: Entry) -> None:
    """Refuse whoever is not inside, and what does not come from a page of the desk."""
    if not entry.is_own_host(request.headers.get("Host")):
        abort(421)
    if request.endpoint in _OPEN_TO_ALL:
        return
    if not entry.is_inside(request.cookies.get(entry.cookie)):
        abort(403)
    g.csrf = entry.csrf()
    changes = request.method not in ("GET", "HEAD")
    if not entry.is_own_origin(request.headers, changes=changes):
        abort(400)
    if changes:
        if request.mimetype != _URLENCODED:
            abort(415)
        if request.endpoint in views.TAKES_ANSWERS:
            request.max_content_length = MOST_ANSWER_BYTES
            request.max_form_memory_size = MOST_ANSWER_BYTES
        if not entry.is_own_form(request.form.get("csrf")):
            abort(400)


def _protect(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers[name] = value
    return response


def _on_error(error: Exception) -> Response:
    problem = of_error(error)
    if problem is None:
        _log.error("a page failed: %s", where(error))
        problem = Problem.unexpected()
    return show(problem)


def _environment(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise BadConfiguration(f"The environment must say what {name} is.")
    return value


def _port(port: int | None) -> int:
    if port is not None:
        return port
    try:
        return int(_environment("CANDOUR_DESK_PORT"))
    except ValueError as error:
        raise BadConfiguration("CANDOUR_DESK_PORT must be a port's number.") from error
