"""Whether a signed request is fresh: signed just now, and not received before.

A nonce is remembered, in memory, for longer than its signature can hold. A process that has just started
remembers nothing, and a signature that its predecessor accepted could come again for as long as it holds. So in
the beginning a request must carry a nonce that begins with this process's own random start mark, which nobody can
have signed before; the refusal says what the mark is, and the courier signs again at once.
"""

import os
import secrets
import threading
import time

from journalist_interface.collection.errors import Refused

MAX_AGE = 300  # seconds that a signature holds
SKEW = 60  # seconds that a courier's clock may be ahead
MOST_NONCES = 100_000  # of one courier, within the time they are remembered
SHORTEST_NONCE, LONGEST_NONCE = 16, 64  # characters

WRONG_TIME = (
    "The time of this signature is not the time here. Set the clock of the courier's machine, and sign again."
)
SIGN_AGAIN = "The collection has started anew. Sign again, with a nonce that begins with the one given here."
REPLAYED = "This request was received before. Sign it again with a fresh nonce."
_NO_NONCE = f"The signature needs a nonce of {SHORTEST_NONCE} to {LONGEST_NONCE} characters. Sign it again."
_TOO_MANY = "This courier sent too many requests in a few minutes. Wait ten minutes, and try again."


class Freshness:
    """The nonces of one process. Safe to share between threads; after a fork it begins anew."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._started = time.time()
        self._mark = secrets.token_hex(8)
        self._seen: dict[str, dict[str, float]] = {}  # key id -> nonce -> when it may be forgotten, monotonic

    def admit(self, key_id: str, nonce: str, created: int, expires: int | None = None) -> None:
        """Take note of a request whose signature holds. Times: seconds since 1970. Raises Refused."""
        now = time.time()
        until = created + MAX_AGE if expires is None else min(expires, created + MAX_AGE)
        if not created - SKEW <= now <= until:
            raise Refused(401, WRONG_TIME)
        if not SHORTEST_NONCE <= len(nonce) <= LONGEST_NONCE:
            raise Refused(401, _NO_NONCE)
        with self._lock:
            if self._process != os.getpid():
                self._begin()
            if created <= self._started + SKEW and not nonce.startswith(self._mark):
                raise Refused(401, SIGN_AGAIN, nonce=self._mark)
            self._note(self._seen.setdefault(key_id, {}), nonce)

    def _note(self, seen: dict[str, float], nonce: str) -> None:
        now = time.monotonic()
        while seen and seen[oldest := next(iter(seen))] < now:
            del seen[oldest]
        if nonce in seen:
            raise Refused(401, REPLAYED)
        if len(seen) >= MOST_NONCES:
            raise Refused(503, _TOO_MANY)
        seen[nonce] = now + MAX_AGE + SKEW
