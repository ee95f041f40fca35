"""How long a courier goes on trying: a bounded number of times without progress, after growing pauses.

A pause waits on an event that nobody sets, so that Ctrl-C ends it at once.
"""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass

from journalist_interface.courier.errors import Unreachable

_NEVER = threading.Event()


@dataclass(frozen=True)
class Patience:
    """Times in seconds. `attempts`: failures in a row, without a byte gained, before giving up."""

    attempts: int = 8
    first_pause: float = 0.5
    longest_pause: float = 30.0
    connect_timeout: float = 60.0  # a new circuit to an onion takes its time
    read_timeout: float = 90.0

    @property
    def timeouts(self) -> tuple[float, float]:
        """As requests takes them."""
        return self.connect_timeout, self.read_timeout


class Tries:
    """The tries of one piece of work; `at` is told how far it is."""

    def __init__(self, patience: Patience, at: Callable[[int], None] | None = None) -> None:
        self._patience = patience
        self._at = at
        self._failures = 0
        self._furthest = 0

    def reached(self, position: int) -> None:
        """The work stands here. Further than ever before, the count of failures begins again."""
        if self._at is not None:
            self._at(position)
        if position > self._furthest:
            self._furthest = position
            self._failures = 0

    def failed(self, why: str) -> None:
        """Pause, or raise Unreachable when this was once too often."""
        self._failures += 1
        if self._failures >= self._patience.attempts:
            raise Unreachable(why)
        pause = min(self._patience.first_pause * 2 ** (self._failures - 1), self._patience.longest_pause)
        _NEVER.wait(random.uniform(pause / 2, pause))  # noqa: S311  spreads couriers, hides nothing
