"""Starts the servers as child processes, watches them, and stops all of them together.

Promises: it waits on events only (sd_notify, pipes, signals), never on a clock tick; when one server ends,
or a stop is asked for, all end: SIGTERM to what it started, a bounded grace, then SIGKILL to their process
groups. A child is reaped only after its group is gone, so an id can never belong to somebody else. If the
supervisor itself is killed, the kernel ends the servers (see `hardening.end_with_parent`).
"""

import selectors
import signal
import socket
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self, TypeVar

from deploy.errors import DeployError
from deploy.run.child import Child
from deploy.run.servers import Server

T = TypeVar("T")

READY_SECONDS = 30.0
GRACE_SECONDS = 8.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class ServerFailed(DeployError):
    """A server did not start, or ended by itself. The message says which one, and what it said last."""


class StopAsked(Exception):
    """Somebody asked for a stop before the servers were ready."""


class Supervisor:
    """A context: on leaving it, every server that was started in it has ended.

    `folder` is a short, private folder that lasts as long as the supervisor.
    `on_output` gets the server's name and each line that a server writes while it is ready.
    """

    def __init__(self, on_output: Callable[[str, str], None]) -> None:
        self._on_output = on_output
        self._children: list[Child] = []
        self._selector = selectors.DefaultSelector()
        self._stops = 0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            # Not TMPDIR: the path of a socket must be short. The folder is ours alone (0700).
            self.folder = Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="candour-", dir="/tmp"))
            )
            stack.callback(self._selector.close)
            self._catch_signals(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._stop_all()
        finally:
            self._stack.close()

    def _catch_signals(self, stack: ExitStack) -> None:
        woken, waker = socket.socketpair()
        for end in (woken, waker):
            stack.callback(end.close)
            end.setblocking(False)
        self._selector.register(woken, selectors.EVENT_READ, lambda: bool(woken.recv(4096)))
        stack.callback(signal.set_wakeup_fd, signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False))
        for number in STOP_SIGNALS:
            stack.callback(signal.signal, number, signal.signal(number, self._note_stop))
        stack.callback(signal.signal, signal.SIGCHLD, signal.signal(signal.SIGCHLD, _nothing))

    def keep(self, context: AbstractContextManager[T]) -> T:
        """Enter a context that is left once every server has ended."""
        return self._stack.enter_context(context)

    @property
    def asked_to_stop(self) -> bool:
        return self._stops > 0

    def start(self, server: Server) -> None:
        """Start a server; it takes over the listener, so that only it answers there."""
        child = Child(server, self.folder / f"notify-{len(self._children)}")
        self._children.append(child)
        for source, handler in child.sources():
            self._selector.register(source, selectors.EVENT_READ, handler)

    def wait_until_ready(self, seconds: float = READY_SECONDS) -> None:
        """Return when all are ready. Raises ServerFailed, StopAsked."""
        limit = time.monotonic() + seconds
        while not all(child.ready for child in self._children):
            self._raise_for_dead()
            if self.asked_to_stop:
                raise StopAsked
            left = limit - time.monotonic()
            if left <= 0:
                slow = next(child for child in self._children if not child.ready)
                raise ServerFailed(
                    f"The {slow.server.name} was not ready within {seconds:.0f} s.{slow.last_words()}"
                )
            self._turn(left)
        for child in self._children:
            child.on_line = self._on_output

    def wait(self) -> None:
        """Return when a stop is asked for. Raises ServerFailed when a server ends by itself."""
        while not self.asked_to_stop:
            self._raise_for_dead()
            self._turn(None)

    def link(self, server: Server) -> str:
        """The path of the one-time link that a ready server gave, such as `/enter/…`."""
        return next(child.link for child in self._children if child.server is server)

    def _turn(self, seconds: float | None) -> None:
        for key, _ in self._selector.select(seconds):
            if not key.data():
                self._selector.unregister(key.fileobj)

    def _raise_for_dead(self) -> None:
        for child in self._children:
            if child.has_ended():
                child.read_rest()
                raise ServerFailed(
                    f"The {child.server.name} has stopped ({child.how_ended()}).{child.last_words()}"
                )

    def _stop_all(self) -> None:
        for child in self._children:
            child.on_line = None
            child.ask_to_end()
        limit = time.monotonic() + GRACE_SECONDS
        asked = self._stops  # asked once more, it hurries
        while not all(child.has_ended() for child in self._children):
            left = limit - time.monotonic()
            if left <= 0 or self._stops > asked:
                break
            self._turn(left)
        for child in self._children:
            child.end_group()

    def _note_stop(self, number: int, frame: FrameType | None) -> None:
        self._stops += 1


def _nothing(number: int, frame: FrameType | None) -> None:
    """A handler, so that the signal wakes the selector."""
