"""gunicorn's threaded worker, with the ways shut by which a few connections could keep everyone waiting.

- A connection that ends is lingered over (RFC 9112, 9.6) in the thread that served it. gunicorn does that in the one
  loop that accepts connections, two seconds for each.
- A request's head must arrive within `HEAD_SECONDS`, and no connection may fall silent for longer than
  `SILENT_SECONDS` while it is read from. gunicorn waits for ever for either, and a thread with it.
- With gunicorn's option `--proxy-protocol v1`, each connection must begin with tor's line (`circuit.py`), or it is
  ended. No thread waits for the line or for what follows it, and circuits take turns for the threads (`turns.py`).
  gunicorn itself would take a connection without the line as well, and a line of another kind.
"""

import logging
import selectors
import socket
import struct
import threading
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Any

from gunicorn import util
from gunicorn.http.body import Body, LengthReader
from gunicorn.workers.gthread import ThreadWorker

from common.allowance import CIRCUIT, STOPPING
from deploy.circuit import Greeting, NoCircuit
from deploy.turns import Turns

HEAD_SECONDS = 20.0
SILENT_SECONDS = 60
_log = logging.getLogger("candour.worker")


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
        self._behind_tor = self.cfg.proxy_protocol != "off"
        self._turns: Turns[Any] = Turns(self.cfg.threads)
        self._serving = threading.local()
        self._stopping = threading.Event()

    def init_process(self) -> None:
        """After the fork. The line is read here, so that gunicorn must take none from whoever comes after it."""
        self.cfg.set("proxy_protocol", "off")
        super().init_process()

    def load_wsgi(self) -> None:
        """The application, which is told the circuit of each request, and when the server is about to end."""
        super().load_wsgi()
        application: Any = self.app.wsgi()

        def with_circuit(environ: dict[str, Any], start_response: Any) -> Any:
            environ[CIRCUIT] = self._serving.circuit  # set by handle_request, in this thread
            environ[STOPPING] = self._stopping
            return application(environ, start_response)

        self.wsgi = with_circuit

    def enqueue_req(self, conn: Any) -> None:
        """A connection is new, or a request has begun on it. In the loop, as all that is not `handle…`."""
        if not self._behind_tor:
            conn.circuit = None
            super().enqueue_req(conn)
        elif not hasattr(conn, "circuit"):
            self._await_line(conn)
        else:
            self._turns.come(conn.circuit, conn)
            self._serve_ready()

    def _await_line(self, conn: Any) -> None:
        conn.greeting, conn.circuit = Greeting(), None
        conn.sock.setblocking(False)
        conn.timeout = monotonic() + HEAD_SECONDS
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def on_pending_socket_readable(self, conn: Any, client: Any) -> None:
        """Something came on a new connection: its line at first, then its request."""
        if not self._behind_tor or conn.circuit:
            super().on_pending_socket_readable(conn, client)
            return
        try:
            conn.circuit = conn.greeting.read(conn.sock)
        except NoCircuit:
            _log.warning("A connection that tells of no circuit was refused.")
            self._refuse(conn)
        except OSError:
            self._refuse(conn)

    def _refuse(self, conn: Any) -> None:
        self.poller.unregister(conn.sock)
        self.pending_conns.remove(conn)
        self._drop(conn)

    def _drop(self, conn: Any) -> None:
        self.nr_conns -= 1
        conn.close()

    def _serve_ready(self) -> None:
        for conn in self._turns.ready():
            super().enqueue_req(conn)

    def finish_request(self, conn: Any, fs: Any) -> None:
        """A thread is done with a request."""
        if conn.circuit:
            self._turns.end(conn.circuit)
        super().finish_request(conn, fs)
        self._serve_ready()

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
        self._serving.circuit = conn.circuit
        return super().handle_request(req, conn)

    def handle_exit(self, sig: Any, frame: Any) -> None:
        """The server is to end: what waits for a while waits no more."""
        self._stopping.set()
        super().handle_exit(sig, frame)

    def handle_quit(self, sig: Any, frame: Any) -> None:
        """The server is to end at once."""
        self._stopping.set()
        super().handle_quit(sig, frame)

    def murder_pending(self) -> None:
        """Called by gunicorn's loop at least once a second: end what is overdue, serve what is due."""
        if self._stopping.is_set():
            for conn in self._turns.give_up():
                self._drop(conn)
            for conn in self.pending_conns:
                conn.timeout = 0.0
        super().murder_pending()
        self._serve_ready()
        now = monotonic()
        for conn, until in list(self._heads.items()):
            if until < now:
                with suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RDWR)


def _closed_already(graceful: bool = False) -> None:
    """In place of a connection's own `close`, which gunicorn's loop calls afterwards."""
