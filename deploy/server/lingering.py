"""A connection that has its last answer, and whose other side may still be sending: RFC 9112, 9.6.

Whoever closes a connection on which something is unread resets it, and a browser reads an answer only when it has sent
all that it wanted to. So what comes is thrown away, by the worker's one loop: no thread waits.

The sending side is shut down when the request has come to its end, and not before: tor knows no half of a stream, and
ends all of it when one side does. Of a request in chunks nobody knows the end; its sender closes, or is ended here.

Bounds: `SECONDS`, `BYTES`, the pace of any connection, and how many the worker has (`MOST`). So whoever sends for ever
takes no more than this, and a place for a while.
"""

from socket import SHUT_WR
from time import monotonic

from common.transport import pace
from deploy.server.paced_socket import PacedSocket

MOST = 64  # at once, of a worker
SECONDS = 900.0
BYTES = 32 * 1024**3  # what is left of a report of five times the limit
END_SECONDS = 2.0  # for the other side to close, when all has been said
_PIECE = 128 * 1024


class Lingering:
    """Takes over a connection, of whose last request `left` bytes have yet to come. Call `go_on` now and then."""

    def __init__(self, sock: PacedSocket, left: float) -> None:
        sock.setblocking(False)
        self._sock, self._left, self._allowed = sock, left, BYTES
        self._is_shut = False
        self._since, self._moved = monotonic(), 0  # for the pace
        self._until = self._since + SECONDS

    def hurry(self) -> None:
        """The server is to end."""
        self._until = min(self._until, monotonic() + END_SECONDS)

    def go_on(self) -> bool:
        """Throw away what has come. False when the connection is to be closed."""
        try:
            self._moved += self._sock.send_kept()
            self._shut_at_end()
            size = len(self._sock.recv(_PIECE))
        except BlockingIOError:
            return self._is_within_bounds()
        except OSError:
            return False
        self._moved += size
        self._left -= size
        self._allowed -= size
        return size > 0 and self._is_within_bounds()

    def _shut_at_end(self) -> None:
        if self._left <= 0 and not self._is_shut and not self._sock.kept:
            self._sock.shutdown(SHUT_WR)
            self._is_shut = True
            self.hurry()

    def _is_within_bounds(self) -> bool:
        now = monotonic()
        waited = now - self._since
        if waited > pace.OVER_SECONDS:
            if self._moved < pace.LEAST_BYTES_A_SECOND * waited:
                return False
            self._since, self._moved = now, 0
        return now < self._until and self._allowed > 0
