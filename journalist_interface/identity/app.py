"""The identity holders' application. Create it with `create_app()`; it serves 127.0.0.1 alone, as the desk does.

What goes wrong is logged as an error's class and place: never a value, since any value here may lead to a reporter.
"""

import logging
from pathlib import Path

from flask import Flask, Response, make_response, render_template
from jinja2 import ChoiceLoader, FileSystemLoader
from werkzeug.exceptions import HTTPException

from common import phrases
from common.registry.registry import RegistryRefused
from common.report.disclosure import SENTENCES
from journalist_interface.desk import app as reviewers
from journalist_interface.desk import references
from journalist_interface.desk.entry import Entry
from journalist_interface.desk.guard import guard
from journalist_interface.desk.places import where
from journalist_interface.identity import views
from journalist_interface.identity.deciding import NoStick, NotDecided
from journalist_interface.identity.settings import read_settings

_SHARED = Path(reviewers.__file__).parent
_log = logging.getLogger(__name__)

_STATUS = {
    403: (
        "This desk is locked to you",
        "It opens only to the browser that used its one-time link. A link works once. Restart it to get a new one.",
    ),
    404: ("There is nothing here", "This desk has no such page, or the request is no longer on the stick."),
    421: (
        "This is not the desk’s address",
        "It answers only under the address that it printed when it was started.",
    ),
}
_FORM = (
    "This form was not accepted",
    "It is of no page of this desk, or was used before. Nothing was done.",
)


def create_app(settings: Path | str | None = None, port: int | None = None) -> Flask:
    """The desk of a settings file at a port; by default those that CANDOUR_DESK and CANDOUR_DESK_PORT name.

    `app.config["ONE_TIME_LINK"]` is the path that lets in. Raises BadConfiguration.
    """
    app = Flask(__name__, static_folder=_SHARED / "static")
    app.jinja_loader = ChoiceLoader(
        [FileSystemLoader(Path(__file__).parent / "templates"), FileSystemLoader(_SHARED / "templates")]
    )
    found = read_settings(Path(settings or reviewers.environment("CANDOUR_DESK")))
    app.extensions["identity"] = views.Room(found)
    guard(app, Entry(reviewers.read_port(port)), {})
    app.register_error_handler(HTTPException, lambda error: _show(error.code or 500))
    app.register_error_handler(Exception, _on_error)
    app.register_blueprint(views.entering)
    app.register_blueprint(views.pages)
    app.jinja_env.filters |= {
        "day": phrases.day,
        "conversation_reference": references.conversation_reference,
    }
    app.context_processor(lambda: views.on_every_page() | {"sentences": SENTENCES})
    return app


def _show(status: int) -> Response:
    title, message = _STATUS.get(status, _FORM if status < 500 else ("That did not work", "Try it again."))
    return make_response(render_template("wrong.html", title=title, message=message), status)


def _on_error(error: Exception) -> Response:
    if isinstance(error, RegistryRefused | NoStick | NotDecided):
        page = render_template(
            "wrong.html", title="Nothing was done", message=str(error) or (type(error).__doc__ or "")
        )
        return make_response(page, 409)
    _log.error("a page failed: %s", where(error))
    return _show(500)
