"""The identity holders' application. Create it with `create_app()`; it serves 127.0.0.1 alone, as the desk does."""

from pathlib import Path

from flask import Flask, Response, make_response, render_template

from common import phrases
from common.registry.registry import RegistryRefused
from common.report.disclosure import SENTENCES
from journalist_interface.identity import pages
from journalist_interface.identity.decision import NoStick, NotDecided
from journalist_interface.identity.services import Services
from journalist_interface.identity.settings import read_settings
from journalist_interface.workstation import references
from journalist_interface.workstation.app import add_errors, new_app, settings_file

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
    app = new_app(__name__, Services(read_settings(settings_file(settings))), port)
    add_errors(app, _of_error, _of_status)
    app.register_blueprint(pages.entering)
    app.register_blueprint(pages.pages)
    app.jinja_env.filters |= {
        "day": phrases.day,
        "conversation_reference": references.conversation_reference,
    }
    app.context_processor(lambda: pages.on_every_page() | {"sentences": SENTENCES})
    return app


def _of_status(status: int) -> Response:
    title, message = _STATUS.get(status, _FORM if status < 500 else ("That did not work", "Try it again."))
    return make_response(render_template("wrong.html", title=title, message=message), status)


def _of_error(error: Exception) -> Response | None:
    if not isinstance(error, RegistryRefused | NoStick | NotDecided):
        return None
    page = render_template(
        "wrong.html", title="Nothing was done", message=str(error) or (type(error).__doc__ or "")
    )
    return make_response(page, 409)
