"""Whose request a worker serves next, so that no circuit takes the worker from the others.

- A circuit may hold a sixteenth of the threads that are free, and one at least. So what one circuit can take shrinks as
  others come, and some are left for whoever comes next (Choudhury and Hahne, "Dynamic queue length thresholds for
  shared-memory packet switches", 1998).
- A circuit may ask for `REQUESTS`; what comes faster waits its time.
- What waits holds no thread, and goes in turn among circuits.

Nothing is refused here. How many connections wait is bounded by tor (`HiddenServiceMaxStreams`, each circuit) and by
the worker, for which the circuit that holds most has to `leave`. Each worker process has its own. Called from its one
loop: not thread-safe."""

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Generic, TypeVar

from common.allowance import MOST_CIRCUITS, Allowance, Rate, Remembered

REQUESTS = Rate(burst=100, every=0.1)  # a visit is a dozen
_PART = 16  # of the threads that are free

Waiting = TypeVar("Waiting")


@dataclass
class _Circuit(Generic[Waiting]):
    requests: Allowance = field(default_factory=lambda: Allowance(REQUESTS))
    held: int = 0  # threads
    waiting: deque[Waiting] = field(default_factory=deque)


class Turns(Generic[Waiting]):
    """What waits for a thread, by circuit. After `come` and `end`, and now and then, serve what `ready` gives."""

    def __init__(
        self, threads: int, clock: Callable[[], float] = monotonic, most: int = MOST_CIRCUITS
    ) -> None:
        self._threads, self._clock = threads, clock
        self._busy = 0
        self._circuits: Remembered[_Circuit[Waiting]] = Remembered(
            _Circuit, lambda circuit: bool(circuit.held or circuit.waiting), most
        )
        self._queue: OrderedDict[str, _Circuit[Waiting]] = OrderedDict()  # those that something waits for

    def __len__(self) -> int:
        """Of how many circuits something is remembered."""
        return len(self._circuits)

    def come(self, circuit: str, what: Waiting) -> None:
        """It waits from now on."""
        found = self._circuits.of(circuit)
        found.waiting.append(what)
        self._queue.setdefault(circuit, found)

    def ready(self) -> list[Waiting]:
        """What is to be served now: one of each circuit, then the next of each, as far as they may."""
        now = self._clock()
        going: list[Waiting] = []
        asked = list(self._queue.items())
        while asked:
            still = []
            for circuit, found in asked:
                if not self._may_go(found, now):
                    continue
                found.requests.take(now)
                found.held += 1
                self._busy += 1
                going.append(found.waiting.popleft())
                if found.waiting:
                    self._queue.move_to_end(circuit)
                    still.append((circuit, found))
                else:
                    del self._queue[circuit]
            asked = still
        return going

    def end(self, circuit: str) -> None:
        """One that was ready has been served."""
        self._circuits.of(circuit).held -= 1
        self._busy -= 1

    def waiting(self) -> list[Waiting]:
        """All that waits; of each circuit first what came first."""
        return [what for found in self._queue.values() for what in found.waiting]

    def leave(self, circuit: str, what: Waiting) -> None:
        """It waits no more. Raises ValueError when it did not wait."""
        found = self._circuits.of(circuit)
        found.waiting.remove(what)
        if not found.waiting:
            del self._queue[circuit]

    def give_up(self) -> list[Waiting]:
        """All that waits, which waits no more."""
        left = self.waiting()
        for found in self._queue.values():
            found.waiting.clear()
        self._queue.clear()
        return left

    def _may_go(self, found: _Circuit[Waiting], now: float) -> bool:
        share = max(1, (self._threads - self._busy) // _PART)
        return found.held < share and not found.requests.delay(now)
