"""Workers that have held a codename are replaced, one at a time, and what they served meanwhile goes on.

Python cannot wipe memory, and what a request held stays in its process until it is written over. So a worker that held
a codename asks to be replaced some hours after the first, or when it has held many. The master grants it to one worker
at a time, and forks another from its own memory, in which no codename ever was. The first takes no new connection
from then on. It ends when all of its connections have, after `LONGEST_UPLOAD` seconds at the most.

Promises: as many workers as before take connections at any time; no request is refused or cut because of it, but an
upload that takes longer than that; there is at most one worker more than usual. When each is due is drawn by lot, so
that they do not go together.

Master and worker share one byte a worker. A signal (SIGTTIN) tells the master to look at all of them; nothing is lost
when two signals become one.
"""

import mmap
import os
import signal
import threading
from collections.abc import Iterable
from secrets import randbelow
from time import monotonic
from typing import Any

SECONDS = (2 * 3600, 4 * 3600)  # after the first codename: at least, at most
TIMES = (500, 1000)  # requests that may have held one; a visit is some ten of them
LEAST_SECONDS = 600  # no worker goes sooner, however many come
LONGEST_UPLOAD = 6 * 3600  # seconds

_SERVES, _ASKS, _LEAVES = range(3)


class Renewal:
    """Of one worker. Made before the fork; thread-safe in the worker."""

    def __init__(self) -> None:
        self._stage = mmap.mmap(-1, 1)  # shared by master and worker
        self._lock = threading.Lock()
        self._times_left = _between(TIMES)
        self._begins = monotonic()
        self._due_at = float("inf")

    def held_codename(self) -> None:
        """A request of this worker may have a codename in memory."""
        with self._lock:
            if self._due_at == float("inf"):
                self._due_at = monotonic() + _between(SECONDS)
            self._times_left -= 1

    def ask_when_due(self, master: int) -> None:
        """Ask the process `master` for a successor, once, if it is time."""
        now = monotonic()
        if self._stage[0] != _SERVES or now < self._begins + LEAST_SECONDS:
            return
        if self._times_left <= 0 or now >= self._due_at:
            self._stage[0] = _ASKS
            os.kill(master, signal.SIGTTIN)

    @property
    def leaves(self) -> bool:
        """Whether this worker has a successor."""
        return self._stage[0] == _LEAVES

    @property
    def asks(self) -> bool:
        """Whether this worker wants one."""
        return self._stage[0] == _ASKS

    def grant(self) -> None:
        """In the master: it shall have one."""
        self._stage[0] = _LEAVES


def workers_wanted(usual: int, workers: Iterable[Any]) -> int:
    """In the master: how many workers there should be now. Lets one of them go that asks, if none goes already."""
    renewals = [worker.renewal for worker in workers]
    leaving = any(renewal.leaves for renewal in renewals)
    asking = next((renewal for renewal in renewals if renewal.asks), None)
    if asking and not leaving:
        asking.grant()
    return usual + (1 if leaving or asking else 0)


def _between(bounds: tuple[int, int]) -> int:
    least, most = bounds
    return least + randbelow(most - least + 1)
