"""Coming in by the one-time link."""

from flask import Blueprint
from werkzeug import Response

from journalist_interface.workstation.guard import let_in

pages = Blueprint("entering", __name__)


@pages.get("/enter/<untrusted_token>")
def enter(untrusted_token: str) -> Response:
    """Let the browser in that has the link."""
    return let_in(untrusted_token, "conversations.listed")
