"""gunicorn's threaded worker, with the ways shut by which a few connections could keep everyone waiting.

- A thread waits only for whoever keeps a pace (`paced_socket.py`), be it for a request or for its response to be read,
  and a request's head must arrive within `HEAD_SECONDS`. gunicorn waits for ever for either, and a thread with it.
- When fewer than a quarter of the threads are free, room is made: of the circuits that hold most, the slowest goes.
- A connection that says nothing holds no thread: neither a new one, nor one that is kept for a next request, nor one
  whose next request came before the last response was read, nor one that waits its turn. When there are too many of
  these, one goes of the circuit that holds most: the oldest, and never who has just come.
- A connection that ends is lingered over in the loop, without a thread (`lingering.py`): a browser that is refused in
  the middle of an upload sends the rest, and then reads why.
- With gunicorn's option `--proxy-protocol v1`, each connection must begin with tor's line (`circuit_line.py`), or it is
  ended. No thread waits for the line or for what follows it, and circuits take turns for the threads (`fair_queue.py`).
- A worker that has held codenames is replaced (`worker_renewal.py`), and goes on with what it has until that has ended.
- No response tells of program, version or clock (`response_head.py`), and what is no request is not repeated in any.
"""

import logging
import selectors
import signal
import threading
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Any

from gunicorn.http.errors import InvalidResponseHeader, InvalidResponseHeaderName, ParseException
from gunicorn.workers.gthread import ThreadWorker

from common.allowance import CIRCUIT, HELD_CODENAME, RETIRE, STOPPING
from common.transport import pace
from deploy.server import lingering, response_head, worker_renewal
from deploy.server.circuit_line import Greeting, NoCircuit
from deploy.server.fair_queue import Turns
from deploy.server.paced_socket import PacedSocket
from deploy.server.request_body import ArrivingBody

HEAD_SECONDS = 20.0
ROOM_SECONDS = 5.0  # waited for: whoever has not been waited for so long is not cut to make room
_LOOK_SECONDS = 0.5
_NO_REQUEST = response_head.closing("400 Bad Request", "This request was not understood.")
_BROKEN = response_head.closing("500 Internal Server Error", "Something broke. Try again in a few minutes.")
_log = logging.getLogger("candour.worker")


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn carries no types
    """Named in gunicorn_config.py."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._served: set[Any] = set()  # connections that hold a thread
        self._unread: dict[Any, float] = {}  # who has not read a response -> when it must have been read
        self._lingering: dict[Any, lingering.Lingering] = {}  # connections that end
        self._newest: Any = None  # the connection that came last
        self._look_at = 0.0
        self._behind_tor = self.cfg.proxy_protocol != "off"
        self._turns: Turns[Any] = Turns(self.cfg.threads)
        self._serving = threading.local()
        self._stopping = threading.Event()
        self.renewal = worker_renewal.Renewal()
        self._cut_all_at = float("inf")

    def init_process(self) -> None:
        """After the fork. The line is read here, so that gunicorn must take none from whoever comes after it."""
        self.cfg.set("proxy_protocol", "off")
        response_head.install()
        super().init_process()

    def load_wsgi(self) -> None:
        """The application, which is told the circuit of each request, and when the server is about to end."""
        super().load_wsgi()
        application: Any = self.app.wsgi()

        def with_circuit(environ: dict[str, Any], start_response: Any) -> Any:
            environ[CIRCUIT] = self._serving.circuit  # set by handle_request, in this thread
            environ[STOPPING] = self._stopping
            environ[RETIRE] = self._retire
            environ[HELD_CODENAME] = self.renewal.held_codename
            return application(environ, start_response)

        self.wsgi = with_circuit

    def enqueue_req(self, conn: Any) -> None:
        """A connection is new, or a request has begun on it. In the loop, as all that is not `handle…`."""
        if not isinstance(conn.sock, PacedSocket):
            self._welcome(conn)
        elif conn.sock.unread():
            self._unread[conn] = monotonic() + pace.OVER_SECONDS
        elif conn.circuit is None:
            super().enqueue_req(conn)
        else:
            self._turns.come(conn.circuit, conn)
            self._serve_ready()

    def _welcome(self, conn: Any) -> None:
        conn.sock = PacedSocket(conn.sock)
        conn.greeting, conn.circuit = Greeting(), None
        conn.timeout = monotonic() + HEAD_SECONDS
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))
        self._newest = conn

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

    def _drop_all(self, conns: Iterable[Any]) -> None:
        for conn in conns:
            self._drop(conn)

    def _end_surplus(self) -> None:
        """Only between two rounds of events: one that is still to be handled may be of a connection ended here."""
        while len(self._lingering) > lingering.MOST:
            self._end_one(self._lingering)
        while self.nr_conns > self.max_keepalived:
            waiting = [*self._unread, *self.keepalived_conns, *self.pending_conns, *self._turns.waiting()]
            if not self._end_one([*self._lingering, *waiting]):
                return

    def _end_one(self, conns: Iterable[Any]) -> bool:
        """Of the circuit that has most of these. False when there is none but the newest."""
        held = Counter(conn.circuit for conn in conns)
        others = [conn for conn in conns if conn is not self._newest]
        if others:
            conn = max(others, key=lambda one: held[one.circuit])  # the first of the greatest
            self._leave(conn)
            self._drop(conn)
        return bool(others)

    def _leave(self, conn: Any) -> None:
        if conn in self._lingering:
            del self._lingering[conn]
            self.poller.unregister(conn.sock)
            return
        if conn in self._unread:
            del self._unread[conn]
            return
        for waiting in (self.keepalived_conns, self.pending_conns):
            if conn in waiting:
                waiting.remove(conn)
                self.poller.unregister(conn.sock)
                return
        self._turns.leave(conn.circuit, conn)

    def _serve_ready(self) -> None:
        for conn in self._turns.ready():
            super().enqueue_req(conn)

    def finish_request(self, conn: Any, fs: Any) -> None:
        """A thread is done with a request."""
        if conn.circuit:
            self._turns.end(conn.circuit)
        if self._stopping.is_set():  # who waits for a turn gets none, though a thread is free
            self._drop_all(self._turns.give_up())
        if not fs.exception() and fs.result() is False:
            self._linger(conn)
        else:
            super().finish_request(conn, fs)
        self._serve_ready()

    def _linger(self, conn: Any) -> None:
        if conn.sock.fileno() < 0:
            self._drop(conn)
            return
        self._lingering[conn] = lingering.Lingering(conn.sock, conn.body.left if conn.body else 0)
        conn.parser = conn.body = None
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._go_on, conn))
        self._go_on(conn)

    def _go_on(self, conn: Any, _: Any = None) -> None:
        if not self._lingering[conn].go_on():
            self._leave(conn)
            self._drop(conn)

    def handle(self, conn: Any) -> Any:
        """Serve a request, in a thread of its own."""
        conn.sock.begin(HEAD_SECONDS)
        conn.body = None
        self._served.add(conn)
        try:
            return super().handle(conn)
        finally:
            self._served.discard(conn)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """The head is here."""
        conn.sock.head_is_here()
        req.body = conn.body = ArrivingBody(req.body.reader)
        self._serving.circuit = conn.circuit
        return super().handle_request(req, conn)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """What was sent is no request, or the application broke. Called while `exc` is handled."""
        is_ours = isinstance(exc, InvalidResponseHeader | InvalidResponseHeaderName)
        if isinstance(exc, ParseException) and not is_ours:
            _log.warning("A request was not HTTP and was refused.")
            told = _NO_REQUEST
        else:
            _log.exception("A request could not be answered.")
            told = _BROKEN
        with suppress(OSError):  # it has gone
            client.sendall(told)

    def handle_exit(self, sig: Any, frame: Any) -> None:
        """The server is to end: what waits for a while waits no more."""
        self._stopping.set()
        super().handle_exit(sig, frame)

    def _retire(self) -> None:
        """As when the server is to end. But it goes on, and so has another worker."""
        self.handle_exit(signal.SIGTERM, None)

    def handle_quit(self, sig: Any, frame: Any) -> None:
        """The server is to end at once."""
        self._stopping.set()
        super().handle_quit(sig, frame)

    def murder_pending(self) -> None:
        """Called by gunicorn's loop after each round of events, at least once a second: ends and serves what is due."""
        if self._stopping.is_set():
            self._drop_all([*self._turns.give_up(), *self._unread])
            self._unread.clear()
            for conn in self.pending_conns:
                conn.timeout = 0.0
            self._hurry()
        super().murder_pending()
        self._end_surplus()
        self._leave_when_replaced()
        now = monotonic()
        if now >= self._look_at:
            self._look_at = now + _LOOK_SECONDS
            self._look_after_unread(now)
            for conn in list(self._lingering):
                self._go_on(conn)
            self._make_room()
        self._serve_ready()

    def _leave_when_replaced(self) -> None:
        """Take no more connections once there is a successor, and serve those that there are until they end."""
        self.renewal.ask_when_due(self.ppid)
        if self.alive and self.renewal.leaves:
            super().handle_exit(signal.SIGTERM, None)
            self.cfg.set("graceful_timeout", 2 * worker_renewal.LONGEST_UPLOAD)
            self._cut_all_at = monotonic() + worker_renewal.LONGEST_UPLOAD
        if self.renewal.leaves and (monotonic() >= self._cut_all_at or not self.is_parent_alive()):
            for conn in list(self._served):
                conn.sock.cut()
            self._hurry()

    def _hurry(self) -> None:
        for ending in self._lingering.values():
            ending.hurry()

    def _cap_keepalive(self, deadline: float) -> None:
        """Called by gunicorn's loop at its end. Who has a successor has time: a request may be on its way already."""
        if not self.renewal.leaves:
            super()._cap_keepalive(deadline)

    def _look_after_unread(self, now: float) -> None:
        for conn, until in list(self._unread.items()):
            if not conn.sock.unread():
                del self._unread[conn]
                self.enqueue_req(conn)
            elif until < now:
                del self._unread[conn]
                self._drop(conn)

    def _make_room(self) -> None:
        """Have some wait no longer for the other side, so that a quarter of the threads is free again."""
        served = list(self._served)
        missing = len(served) - (self.cfg.threads - self.cfg.threads // 4)
        if missing <= 0:
            return
        held = Counter(conn.circuit for conn in served)
        slow = [conn for conn in served if conn.sock.waited > ROOM_SECONDS]
        for _ in range(min(missing, len(slow))):
            conn = max(slow, key=lambda one: (held[one.circuit], one.sock.waited / (one.sock.moved + 1)))
            slow.remove(conn)
            held[conn.circuit] -= 1
            conn.sock.cut()
