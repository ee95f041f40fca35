"""Bytes that are secret: they print as nothing, compare in constant time and do not pickle.

Python cannot promise that memory is wiped. What this type promises is that a secret does not slip into a log
line, a traceback or a message by being formatted.
"""

import hmac
from typing import NoReturn


class Secret:
    """Immutable secret bytes. Reach for `.reveal()` only where the bytes are used."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = bytes(value)

    def reveal(self) -> bytes:
        """The bytes themselves."""
        return self._value

    def __len__(self) -> int:
        return len(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value, other._value)

    def __hash__(self) -> NoReturn:
        raise TypeError("a secret is not a key of a dictionary")

    def __repr__(self) -> str:
        return "<secret>"

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")
