"""Requests that cannot spool, and the checks every request passes before a view sees it."""

import hmac
from typing import IO
from urllib.parse import urlsplit

from flask import Request, Response
from werkzeug.exceptions import ClientDisconnected, NotFound
from werkzeug.routing import RequestRedirect

from common.allowance import HELD_CODENAME
from common.page_headers import NOT_KEPT, PAGE_HEADERS
from source_interface.refusals import Refused
from source_interface.session import COOKIE, Session

_SMALL_FORM_BYTES = 64 * 1024
_SMALL_FORM = "application/x-www-form-urlencoded"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class NoSpoolRequest(Request):
    """Flask's request, with the way to a temporary file walled up."""

    max_form_memory_size = _SMALL_FORM_BYTES
    max_form_parts = 16

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        raise Refused("broken")


def small_form(request: Request, session: Session) -> dict[str, str]:
    """The fields of a small form, its token checked. Raises Refused."""
    if request.mimetype != _SMALL_FORM or (request.content_length or 0) > _SMALL_FORM_BYTES:
        raise Refused("broken")
    request.max_content_length = _SMALL_FORM_BYTES
    try:
        fields = dict(request.form.items())
    except ClientDisconnected as error:  # or too slow: then its person is seldom one
        raise Refused("cut") from error
    check_token(session, fields.get("csrf", ""))
    return fields


def check_token(session: Session, untrusted_token: str) -> None:
    """Raises Refused when a form's token is not this session's."""
    if not hmac.compare_digest(session.csrf.encode(), untrusted_token.encode()):
        raise Refused("stale")


def note_codename(request: Request) -> None:
    """Tell the worker of a request that may hold a codename, so that another takes its place after some of them."""
    tell = request.environ.get(HELD_CODENAME)
    if tell and (request.method == "POST" or COOKIE in request.cookies):
        tell()


def check_address(request: Request) -> None:
    """Raises NotFound where routing would mend an address by a redirect: to whatever host the request names."""
    if isinstance(request.routing_exception, RequestRedirect):
        raise NotFound


def check_origin(request: Request) -> None:
    """Raises Refused for a form that another site sent.

    A browser says `Sec-Fetch-Site: same-origin` for ours. Because we ask for no referrer it may say
    `Origin: null`; then the form's token alone decides (Fetch standard, "append a request Origin header").
    """
    if request.method in _SAFE_METHODS:
        return
    if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        raise Refused("elsewhere")
    origin = request.headers.get("Origin", "null")
    try:
        ours = origin == "null" or urlsplit(origin).netloc == request.host
    except ValueError:  # no address at all
        ours = False
    if not ours:
        raise Refused("elsewhere")


def harden(response: Response) -> Response:
    """The headers that every response carries."""
    response.headers.update(PAGE_HEADERS)
    response.headers.setdefault("Cache-Control", NOT_KEPT)
    return response
