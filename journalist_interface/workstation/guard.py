"""What every request to a desk passes, and what every answer carries, whichever desk it is.

Only the browser with the one-time link is inside; forms come from a page of the desk itself and bring no files. Every
answer is kept by no cache, names no referrer, runs no script and can be framed by nobody.
"""

from collections.abc import Mapping

from flask import Flask, Response, abort, current_app, g, redirect, request, url_for
from werkzeug import Response as AnyResponse

from common.page_headers import NOT_KEPT, PAGE_HEADERS
from journalist_interface.workstation.entry import Entry

EXTENSION = "candour.entry"
MOST_FORM_BYTES = 64 * 1024
_URLENCODED = "application/x-www-form-urlencoded"
_OPEN_TO_ALL = {"entering.enter", "static"}


def guard(app: Flask, entry: Entry, longer: Mapping[str, int]) -> None:
    """Let nobody in but by `entry`. `longer`: endpoints whose forms may be longer than others, in bytes."""
    app.config["ONE_TIME_LINK"] = entry.link
    app.config["MAX_CONTENT_LENGTH"] = MOST_FORM_BYTES
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.extensions[EXTENSION] = entry
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.before_request(lambda: _admit(entry, longer))
    app.after_request(_protect)


def let_in(untrusted_token: str, first_page: str) -> AnyResponse:
    """Let the browser in that has the link, once; whoever is in already goes to the first page."""
    if request.method != "GET":
        abort(405)
    entry = current_app.extensions[EXTENSION]
    assert isinstance(entry, Entry)  # noqa: S101  `guard` has put it there
    inside = redirect(url_for(first_page), 303)
    if entry.is_inside(request.cookies.get(entry.cookie)):
        return inside
    session = entry.enter(untrusted_token)
    if session is None:
        abort(403)
    inside.set_cookie(entry.cookie, session.reveal().decode(), httponly=True, samesite="Strict", path="/")
    return inside


def _admit(entry: Entry, longer: Mapping[str, int]) -> None:
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
        if most := longer.get(request.endpoint or ""):
            request.max_content_length = most
            request.max_form_memory_size = most
        if not entry.is_own_form(request.form.get("csrf")):
            abort(400)


def _protect(response: Response) -> Response:
    response.headers.update(PAGE_HEADERS)
    response.headers["Cache-Control"] = NOT_KEPT
    return response
