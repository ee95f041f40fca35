"""The forms that were shown and that nobody has used: each works once, and for the request that was shown with it.

They lie in memory that a worker shares with the one that follows it: a worker ends when it has seen a passphrase
(`pages.py`), and what it showed last can still be sent. One worker runs at a time.
"""

import mmap
import secrets
import threading

_TOKEN_BYTES, _DIGEST_BYTES = 16, 32
_FORM_BYTES = _TOKEN_BYTES + _DIGEST_BYTES
_COUNT_BYTES = 8  # of all that were ever shown
_MOST = 1000  # shown and not used, before the oldest are forgotten


class Forms:
    """A ring of them. Made before any worker is."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, _COUNT_BYTES + _MOST * _FORM_BYTES)
        self._lock = threading.Lock()

    def show(self, digest: str) -> str:
        """What a new form carries: 32 hex digits. `digest`: SHA-256 in hex of the request that it is for."""
        token = secrets.token_bytes(_TOKEN_BYTES)
        with self._lock:
            shown = int.from_bytes(self._shared[:_COUNT_BYTES], "big")
            at = _COUNT_BYTES + shown % _MOST * _FORM_BYTES
            self._shared[at : at + _FORM_BYTES] = token + bytes.fromhex(digest)
            self._shared[:_COUNT_BYTES] = (shown + 1).to_bytes(_COUNT_BYTES, "big")
        return token.hex()

    def use(self, untrusted_token: str, digest: str) -> bool | None:
        """Whether it was shown with the request of this digest; None for one that was used, or never shown."""
        try:
            token = bytes.fromhex(untrusted_token)
        except ValueError:
            return None
        if len(token) != _TOKEN_BYTES or not any(token):
            return None
        with self._lock:
            for at in range(_COUNT_BYTES, len(self._shared), _FORM_BYTES):
                if self._shared[at : at + _TOKEN_BYTES] == token:
                    shown = self._shared[at + _TOKEN_BYTES : at + _FORM_BYTES]
                    self._shared[at : at + _FORM_BYTES] = bytes(_FORM_BYTES)
                    return shown == bytes.fromhex(digest)
        return None
