"""The source interface, put together: pages, the checks before them, the headers and errors after them."""

import hashlib
import logging
import os
from pathlib import Path

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from common.config import ServerConfig, read_server_config
from common.conversation.derivation import Busy
from common.error_place import kind_and_place
from common.registry.registry import RegistryRefused
from source_interface import circuits, services
from source_interface import session as sessions
from source_interface.pages import conversation, public, report, routing
from source_interface.pages.messages import StaleForm, TypedMessage, typed_words
from source_interface.refusals import Refused, time_in_words
from source_interface.render import page
from source_interface.request import NoSpoolRequest, check_address, check_origin, harden, note_codename
from source_interface.response_size import pad
from source_interface.session import NoSession, SessionBox

_STYLE_SECONDS = 8 * 3600  # a visit
_log = logging.getLogger("candour.source")


def create_app(config: ServerConfig | None = None) -> Flask:
    """The application. Without `config` it is read from the file that CANDOUR_SERVER names."""
    os.umask(0o077)
    config = config or read_server_config(Path(os.environ["CANDOUR_SERVER"]))
    app = Flask(__name__, static_folder=None)
    app.request_class = NoSpoolRequest
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    app.extensions[services.EXTENSION] = services.build(config)
    app.extensions[sessions.EXTENSION] = SessionBox(
        config.limits.session_idle_seconds, config.limits.session_longest_seconds
    )
    app.extensions[circuits.EXTENSION] = circuits.Circuits()
    app.extensions["candour.contacts"] = public.contacts()
    app.before_request(lambda: note_codename(request))
    app.before_request(lambda: check_address(request))
    app.before_request(lambda: check_origin(request))
    app.after_request(pad)  # the last to run: Flask goes through them from the end
    app.after_request(harden)
    for module in (public, report, conversation, routing):
        app.register_blueprint(module.pages)
    _add_style(app)
    _add_errors(app)
    return app


def _add_style(app: Flask) -> None:
    """The style sheet. Its address follows from its content, so it needs no validator, which could tell a time."""
    style = (Path(app.root_path) / "static" / "candour.css").read_bytes()
    address = f"/static/candour-{hashlib.sha256(style).hexdigest()[:16]}.css"
    app.jinja_env.globals["style"] = address

    def static() -> Response:
        response = Response(style, mimetype="text/css")
        response.headers["Cache-Control"] = f"private, max-age={_STYLE_SECONDS}"
        return response

    app.add_url_rule(address, "static", static)


def _add_errors(app: Flask) -> None:
    app.register_error_handler(NoSession, _no_session)
    app.register_error_handler(StaleForm, _stale)
    app.register_error_handler(Refused, _refused)
    app.register_error_handler(Busy, lambda _: _refused(Refused("busy")))
    app.register_error_handler(RegistryRefused, lambda _: _refused(Refused("recipient")))
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unexpected)


def _no_session(_: NoSession) -> Response:
    limits = services.services().config.limits
    return page(
        "error.html",
        403,
        title="Your visit has ended",
        message=(
            f"It ends after {time_in_words(limits.session_idle_seconds)} of quiet, "
            f"{time_in_words(limits.session_longest_seconds)} after it began, when you leave, or when the service "
            "restarts. Nothing that had arrived is lost."
        ),
        what_to_do="If you have a codename, come back with it. If you have not, start again.",
        typed=typed_words(),
    )


def _stale(stale: StaleForm) -> Response:
    return _refused(stale.refused, stale.typed)


def _refused(refused: Refused, typed: TypedMessage | None = None) -> Response:
    return page(
        "error.html",
        refused.reason.status,
        title="That did not work",
        message=refused.sentence(services.services().config.limits),
        what_to_do="Go on from the first page, or come back with your codename.",
        typed=typed or typed_words(),
    )


def _http(error: HTTPException) -> Response:
    return page(
        "error.html",
        error.code or 500,
        title="There is nothing here" if error.code == 404 else "That did not work",
        message="This address leads to no page, or not in this way.",
        what_to_do="Go on from the first page.",
        typed=TypedMessage(),
    )


def _unexpected(error: Exception) -> Response:
    """Say where it happened and what kind it was; what it says could hold what someone typed."""
    _log.error("%s", kind_and_place(error))
    return _refused(Refused("not kept"))
