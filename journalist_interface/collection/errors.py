"""How the collection says no: JSON with one sentence that tells what to do, and nothing of what was sent.

Of an unexpected exception the log gets its class and its place, never its values: a message or a traceback line
could hold what nobody is to read.
"""

import errno
import logging

from flask import Flask, Response, jsonify
from werkzeug.exceptions import HTTPException

from common.error_place import kind_and_place
from common.registry.registry import RegistryRefused

_log = logging.getLogger("candour.collection")

_FULL = (errno.ENOSPC, errno.EDQUOT)
NOT_FOUND = "There is no such thing here for this courier."
_SENTENCES = {
    400: "This request is not understood. Check the courier's version.",
    404: NOT_FOUND,
    405: "This address does not take that method. Check the courier's version.",
    413: "This is larger than anything that a courier delivers here. Have the desk make the bundle again.",
    416: "This range is not in the envelope. Ask for it from the beginning.",
}
NO_ROOM = "The disk here is nearly full, so nothing was taken. Tell the operator, and deliver again later."
_OTHER = "This request cannot be answered. Check the courier's version."
_UNEXPECTED = (
    "Something failed here, and nothing was lost. Try again; if it happens again, tell the operator."
)
_NO_REGISTRY = (
    "The registry here is not valid, so nobody is let in. Tell the operator to put the current one in place."
)


class Refused(Exception):
    """This request is refused; the sentence says what to do. `more`: further members of the response."""

    def __init__(self, status: int, sentence: str, **more: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.more = more


def install(app: Flask) -> None:
    """Let the app answer every error in this way."""
    app.register_error_handler(Refused, _refused)
    app.register_error_handler(RegistryRefused, _registry_refused)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(OSError, _failed_to_write)
    app.register_error_handler(Exception, _unexpected)


def _response(status: int, sentence: str, **more: str) -> Response:
    response = jsonify({"error": sentence, **more})
    response.status_code = status
    if status == 413:
        response.headers["Connection"] = "close"  # the rest of the body is not read
    return response


def _refused(error: Refused) -> Response:
    return _response(error.status, str(error), **error.more)


def _registry_refused(_: RegistryRefused) -> Response:
    return _response(503, _NO_REGISTRY)


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    if status >= 500:
        return _unexpected(error)
    response = _response(status, _SENTENCES.get(status, _OTHER))
    for name, value in error.get_headers():
        if name in ("Allow", "Content-Range"):
            response.headers[name] = value
    return response


def _failed_to_write(error: OSError) -> Response:
    return _response(507, NO_ROOM) if error.errno in _FULL else _unexpected(error)


def _unexpected(error: Exception) -> Response:
    _log.error("%s", kind_and_place(error))
    return _response(500, _UNEXPECTED)
