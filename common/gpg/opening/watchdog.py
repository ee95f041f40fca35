"""gpg while it opens something: in a process group of its own that ends as a whole, once it gets nowhere.

It has some seconds to begin with, and one more for each MiB that it has handed out: what is large may take long, and
what does nothing may not. The time that others take is not its own: whoever gives it the message, and whoever takes
the content.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from subprocess import Popen
from typing import Any, Self

from common.gpg.runner import Gpg, Readable

PATIENCE = 30.0  # seconds, where nobody can be asked for anything
PATIENCE_WITH_A_PERSON = 600.0  # seconds, where a passphrase may be typed or a card be put in
_SLOWEST = 1024 * 1024  # bytes a second
_MOST_LINES = 10_000  # a few for each key that is tried for each session key
_TICK = 0.1  # seconds


class Watch:
    """Watches one gpg. Use it within `with`, and begin it with the process, which does not outlive that."""

    def __init__(self, patience: float) -> None:
        self.stopped_it = False  # because it got nowhere
        self._patience = patience
        self._process: Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._others = 0  # threads that are in somebody else's code
        self._handed_out = self._lines = 0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def begin(self, process: Popen[bytes]) -> None:
        """The process is there. It leads a process group."""
        self._process = process
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self.stop()  # where an exception came between
        if self._process is not None:
            self._thread.join()

    @contextmanager
    def elsewhere(self) -> Iterator[None]:
        """While it lasts gpg's time stands."""
        with self._lock:
            self._others += 1
        try:
            yield
        finally:
            with self._lock:
                self._others -= 1

    def note_handed_out(self, size: int) -> None:
        """gpg has handed out so many bytes more."""
        self._handed_out += size

    def note_line(self) -> None:
        """gpg has said a line more."""
        self._lines += 1
        if self._lines > _MOST_LINES:
            self.stopped_it = True
            self.stop()

    def stop(self) -> None:
        """End gpg, and whatever it started."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _run(self) -> None:
        used = 0.0
        while not self._is_over.wait(_TICK):
            with self._lock:
                used += 0 if self._others else _TICK
            if used > self._patience + self._handed_out / _SLOWEST:
                self.stopped_it = True
                self.stop()
                return


class WatchedGpg(Gpg):
    """gpg as a watch needs it. Where there is none yet, it only asks gpg for its version."""

    watch: Watch | None = None
    in_own_group = True

    def start(self, *args: Any, **named: Any) -> Any:
        process = super().start(*args, **named)
        if self.watch:
            self.watch.begin(process)
        return process

    def status_lines(self, stream: Any) -> Any:
        return _Lines(stream, self.watch) if self.watch else stream


class _Lines:
    """What gpg says, each line noted."""

    def __init__(self, stream: Any, watch: Watch) -> None:
        self._stream = stream
        self._watch = watch

    def readline(self) -> str:
        self._watch.note_line()
        return str(self._stream.readline())


class Waited:
    """A source whose reading takes none of gpg's time."""

    def __init__(self, source: Readable, watch: Watch) -> None:
        self._source = source
        self._watch = watch

    def read(self, size: int, /) -> bytes:
        """The next bytes, whenever they come."""
        with self._watch.elsewhere():
            return self._source.read(size)
