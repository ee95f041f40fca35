"""What one circuit may ask of the server that costs much: derivations and uploads. The rest is in
`deploy/server/fair_queue.py`.

What comes too often is delayed at first, and refused when more of the same circuit is delayed already. Nobody else
waits for it, and intake is never closed. The numbers are such that a person is never delayed: a
mistyped codename costs nothing, and nobody comes in five times, or sends seven messages, within five seconds.

All of it is in the memory of one worker process, by the name that the worker gives a circuit; each of two workers has
its own, so that a circuit gets at most twice the numbers below. A request without a circuit (`candour up` on loopback)
is not limited.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import cast

from flask import current_app, request

from common.allowance import CIRCUIT, MOST_CIRCUITS, STOPPING, Allowance, Rate, Remembered
from source_interface.refusals import Refused
from source_interface.services import services

EXTENSION = "candour.circuits"
DERIVATIONS = Rate(burst=4, every=5.0)  # coming back, starting, another matter: 64 MiB and about 0.1 s each
UPLOADS = Rate(burst=6, every=5.0)  # messages: a gpg process each
UPLOADS_AT_ONCE = 4
MOST_DELAYED = 3  # requests of one circuit: each holds a thread, for 15 seconds at most


@dataclass
class _Circuit:
    derivations: Allowance = field(default_factory=lambda: Allowance(DERIVATIONS))
    uploads: Allowance = field(default_factory=lambda: Allowance(UPLOADS))
    delayed: int = 0
    uploading: int = 0


class Circuits:
    """What circuits have done of late. Thread-safe. `stopping` ends a delay: the server is about to end."""

    def __init__(self, clock: Callable[[], float] = monotonic, most: int = MOST_CIRCUITS) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._remembered = Remembered(
            _Circuit, lambda circuit: bool(circuit.delayed or circuit.uploading), most
        )

    def __len__(self) -> int:
        """Of how many circuits something is remembered."""
        return len(self._remembered)

    def derivation(self, circuit: str, stopping: threading.Event) -> None:
        """Wait until it may have a derivation. Raises Refused."""
        with self._lock:
            found = self._remembered.of(circuit)
            delay = self._take(found, found.derivations)
        self._sit_out(found, delay, stopping)

    @contextmanager
    def upload(self, circuit: str, stopping: threading.Event) -> Iterator[None]:
        """Wait until it may upload something, and hold its place meanwhile. Raises Refused."""
        with self._lock:
            found = self._remembered.of(circuit)
            delay = self._take(found, found.uploads)
        self._sit_out(found, delay, stopping)
        self._take_place(found, stopping)
        try:
            yield
        finally:
            with self._lock:
                found.uploading -= 1

    def _take(self, found: _Circuit, allowance: Allowance) -> float:
        """Seconds to wait first. Who has to wait is counted; who would be one too many takes nothing."""
        now = self._clock()
        if allowance.delay(now):
            self._count_delayed(found)
        return allowance.take(now)

    def _count_delayed(self, found: _Circuit) -> None:
        if found.delayed >= MOST_DELAYED:
            raise Refused("too often")
        found.delayed += 1

    def _sit_out(self, found: _Circuit, delay: float, stopping: threading.Event) -> None:
        if not delay:
            return
        try:
            if stopping.wait(delay):
                raise Refused("busy")
        finally:
            with self._lock:
                found.delayed -= 1

    def _take_place(self, found: _Circuit, stopping: threading.Event) -> None:
        with self._lock:
            if found.uploading < UPLOADS_AT_ONCE:
                found.uploading += 1
                return
            self._count_delayed(found)
        self._sit_out(found, UPLOADS.every, stopping)
        with self._lock:
            if found.uploading >= UPLOADS_AT_ONCE:
                raise Refused("too often")
            found.uploading += 1


@contextmanager
def derivation() -> Iterator[None]:
    """This request's turn for a derivation. Raises Refused, Busy."""
    circuit = request.environ.get(CIRCUIT)
    if circuit:
        _circuits().derivation(circuit, request.environ[STOPPING])
    with services().gate.turn(circuit):
        yield


@contextmanager
def upload() -> Iterator[None]:
    """This request's place for an upload. Raises Refused."""
    circuit = request.environ.get(CIRCUIT)
    if not circuit:
        yield
        return
    with _circuits().upload(circuit, request.environ[STOPPING]):
        yield


def _circuits() -> Circuits:
    return cast(Circuits, current_app.extensions[EXTENSION])
