"""gunicorn's threaded worker, with two ways shut by which a few idle connections could keep everyone waiting.

- A connection that ends is lingered over (RFC 9112, 9.6) in the thread that served it. gunicorn does that in the one
  loop that accepts connections, two seconds for each.
- A request's head must arrive within `HEAD_SECONDS`, and no connection may fall silent for longer than
  `SILENT_SECONDS` while it is read from. gunicorn waits for ever for either, and a thread with it.
"""

import socket
import struct
from contextlib import suppress
from time import monotonic
from typing import Any

from gunicorn import util
from gunicorn.http.body import Body, LengthReader
from gunicorn.workers.gthread import ThreadWorker

HEAD_SECONDS = 20.0
SILENT_SECONDS = 60


class ArrivingBody(Body):  # type: ignore[misc]  # gunicorn carries no types
    """A request's body that gives what has arrived, at once and uncopied, where gunicorn's waits to fill its hands.

    A large upload then costs a tenth of the processor time, and a slow one is seen to be slow.
    """

    def read(self, size: int | None = None) -> bytes:
        """At most `size` bytes; b"" at the end."""
        reader = self.reader
        if size is None or not isinstance(reader, LengthReader) or self.buf.tell():
            return bytes(super().read(size))
        size = min(size, reader.length)
        held = len(reader.unreader.buf.getvalue())
        if held:
            return bytes(super().read(min(size, held)))
        if size <= reader.unreader.mxchunk:  # it would read on into the next request
            return bytes(super().read(size))
        data = bytes(reader.unreader.chunk(size))
        reader.length -= len(data)
        return data


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn carries no types
    """Named in gunicorn_config.py."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._heads: dict[Any, float] = {}  # connection -> when its request's head must be here

    def handle(self, conn: Any) -> Any:
        """Serve a request, in a thread of its own."""
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", SILENT_SECONDS, 0))
        self._heads[conn] = monotonic() + HEAD_SECONDS
        try:
            kept = super().handle(conn)
        finally:
            self._heads.pop(conn, None)
        if kept is False:
            util.close_graceful(conn.sock)
            conn.close = _closed_already
        return kept

    def handle_request(self, req: Any, conn: Any) -> Any:
        """The head is here."""
        self._heads.pop(conn, None)
        req.body = ArrivingBody(req.body.reader)
        return super().handle_request(req, conn)

    def murder_pending(self) -> None:
        """Called by gunicorn's loop at least once a second: end what is overdue."""
        super().murder_pending()
        now = monotonic()
        for conn, until in list(self._heads.items()):
            if until < now:
                with suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RDWR)


def _closed_already(graceful: bool = False) -> None:
    """In place of a connection's own `close`, which gunicorn's loop calls afterwards."""
