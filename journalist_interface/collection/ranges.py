"""A file as a response, whole or one range of it (RFC 9110, section 14), in constant memory.

Says nothing of when the file was written: no Last-Modified, no ETag. Under gunicorn the bytes go from file to
socket by sendfile(2).
"""

from io import FileIO

from flask import Request, Response
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.wsgi import wrap_file

_CHUNK = 256 * 1024


class _Window:
    """Part of a file, from where it stands, `length` bytes long: what wsgi.file_wrapper takes."""

    def __init__(self, file: FileIO, length: int) -> None:
        self._file = file
        self._left = length

    def read(self, size: int = _CHUNK) -> bytes:
        chunk = self._file.read(min(size, self._left)) or b""
        self._left -= len(chunk)
        return chunk

    def fileno(self) -> int:
        return self._file.fileno()

    def close(self) -> None:
        self._file.close()


def send_part(stream: FileIO, request: Request) -> Response:
    """The range of a file that is asked for, or the whole; the file is closed when it is sent. May raise 416."""
    try:
        size = stream.seek(0, 2)
        asked = _asked(request, size)
        begin, end = asked or (0, size)
        stream.seek(begin)
    except BaseException:
        stream.close()
        raise
    response = Response(
        wrap_file(request.environ, _Window(stream, end - begin), _CHUNK),  # type: ignore[arg-type]
        mimetype="application/octet-stream",
        direct_passthrough=True,
    )
    response.content_length = end - begin
    response.accept_ranges = "bytes"
    if asked is not None:
        response.status_code = 206
        response.content_range.set(begin, end, size)
    return response


def _asked(request: Request, size: int) -> tuple[int, int] | None:
    """First byte and the one after the last; None for the whole. One range at a time."""
    if "Range" not in request.headers or "If-Range" in request.headers or request.method != "GET":
        return None  # RFC 9110, 13.1.5: there is no validator here that an If-Range could match
    asked = request.range
    found = asked.range_for_length(size) if asked is not None and asked.units == "bytes" else None
    if found is None:
        raise RequestedRangeNotSatisfiable(size)
    return found
