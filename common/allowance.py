"""How often a circuit may do something: a burst at once, then one every few seconds.

Kept in memory only, for so many circuits and no more. A circuit is known by a name that means nothing elsewhere: the
server's worker makes it (`deploy/server/circuit_line.py`) and puts it into the environment of each request under
`CIRCUIT`. Where tor tells of no circuit there is none, and nothing is limited by it.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

CIRCUIT = "candour.circuit"  # in a WSGI environment: the circuit's name (str), or None
STOPPING = "candour.stopping"  # in a WSGI environment: a threading.Event, set when the server is about to end
HELD_CODENAME = (
    "candour.held-codename"  # in a WSGI environment: call it when the request may have one in memory
)
RETIRE = (
    "candour.retire"  # in a WSGI environment: call it and this worker serves no more; another takes its place
)
MOST_CIRCUITS = 4096
_AT_ONCE = 0.001  # seconds: less is no delay

Entry = TypeVar("Entry")


@dataclass(frozen=True)
class Rate:
    """`burst` at once, and then one every `every` seconds."""

    burst: int
    every: float


class Allowance:
    """What one circuit may still do of one kind: the generic cell rate algorithm (ITU-T I.371, annex A).

    Holds one number: when all that was taken will have been made up for. Not thread-safe.
    """

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._made_up = float("-inf")

    def delay(self, now: float) -> float:
        """Seconds until the next may be taken; 0 when at once."""
        delay = self._made_up - (self._rate.burst - 1) * self._rate.every - now
        return delay if delay > _AT_ONCE else 0.0

    def take(self, now: float) -> float:
        """Take the next one. Returns the seconds that whoever takes it has to wait first."""
        delay = self.delay(now)
        self._made_up = max(self._made_up, now) + self._rate.every
        return delay


class Remembered(Generic[Entry]):
    """An entry for each circuit, at most `most` of them. Which was longest unused is forgotten first.

    One that is `in_use` stays: there are no more of these than there are connections. Not thread-safe.
    """

    def __init__(
        self, make: Callable[[], Entry], in_use: Callable[[Entry], bool], most: int = MOST_CIRCUITS
    ) -> None:
        self._make, self._in_use, self._most = make, in_use, most
        self._entries: OrderedDict[str, Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def of(self, circuit: str) -> Entry:
        """The circuit's entry, a new one when it is not remembered."""
        entry = self._entries.get(circuit)
        if entry is None:
            entry = self._entries[circuit] = self._make()
            self._forget()
        self._entries.move_to_end(circuit)
        return entry

    def _forget(self) -> None:
        surplus = len(self._entries) - self._most
        if surplus <= 0:
            return
        idle = (circuit for circuit, entry in self._entries.items() if not self._in_use(entry))
        for circuit in [circuit for circuit, _ in zip(idle, range(surplus), strict=False)]:
            del self._entries[circuit]
