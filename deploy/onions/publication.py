"""Whether the descriptor of an onion has reached the relays that keep it. Tor tells this once, by event, as it happens.

Source: Tor's control-spec, "HS_DESC": UPLOAD for each relay that tor begins to send it to, then UPLOADED or FAILED.
"""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue

from stem.control import Controller, EventType
from stem.response.events import HSDescEvent

SECONDS = 90.0


class Uploads:
    """What tor sends to the relays from now on. Made by `watched`."""

    def __init__(self, events: SimpleQueue[HSDescEvent]) -> None:
        self._events = events
        self._open: dict[str, Counter[str]] = {}  # onion -> relay -> uploads that it has not answered yet
        self._stored: dict[str, int] = {}

    def wait(self, address: str, seconds: float = SECONDS) -> int:
        """How many relays have stored the descriptor of `address`, once all have answered or the time is over."""
        onion, limit = address.removesuffix(".onion"), time.monotonic() + seconds
        while not self._open.get(onion) or self._open[onion].total():
            left = limit - time.monotonic()
            try:
                self._note(self._events.get(timeout=max(left, 0.001)))
            except Empty:
                break
        return self._stored.get(onion, 0)

    def _note(self, event: HSDescEvent) -> None:
        onion, relay = event.address, event.directory_fingerprint
        waiting = self._open.setdefault(onion, Counter())
        if event.action == "UPLOAD":
            waiting[relay] += 1
        elif event.action in {"UPLOADED", "FAILED"} and waiting[relay]:
            waiting[relay] -= 1
            self._stored[onion] = self._stored.get(onion, 0) + (event.action == "UPLOADED")


@contextmanager
def watched(controller: Controller) -> Iterator[Uploads]:
    """Listen for uploads that begin while the context lasts."""
    events: SimpleQueue[HSDescEvent] = SimpleQueue()
    controller.add_event_listener(events.put, EventType.HS_DESC)
    try:
        yield Uploads(events)
    finally:
        controller.remove_event_listener(events.put)
