"""Coming in by the one-time link."""

from flask import Blueprint, abort, redirect, request, url_for
from werkzeug import Response

from journalist_interface.desk.views.here import entry

pages = Blueprint("entering", __name__)


@pages.get("/enter/<untrusted_token>")
def enter(untrusted_token: str) -> Response:
    """Let the browser in that has the link, once; whoever is in already goes to the first page."""
    if request.method != "GET":
        abort(405)
    inside = redirect(url_for("conversations.listed"), 303)
    if entry().is_inside(request.cookies.get(entry().cookie)):
        return inside
    session = entry().enter(untrusted_token)
    if session is None:
        abort(403)
    inside.set_cookie(entry().cookie, session.reveal().decode(), httponly=True, samesite="Strict", path="/")
    return inside
