"""OpenPGP packets told apart in bytes that come in pieces: their tags, and where each begins and ends.

RFC 9580, 4.2: headers of both forms, and bodies of a known length, in parts, or up to the end of the stream.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

_LONGEST_HEADER = 6  # bytes
_OLD_LENGTHS = (1, 2, 4, 0)  # octets of a length in a header of the old form; 0: up to the end of the stream
_SMALLEST_PART = 512  # bytes
_TWO_OCTETS, _PART, _FIVE_OCTETS = 192, 224, 255  # first octets of a length in the present form


class Tag(IntEnum):
    """What a packet is (RFC 9580, 5; 20 is that of draft-koch-librepgp, 5.13)."""

    KEY_SESSION = 1
    SIGNATURE = 2
    PASSPHRASE_SESSION = 3
    ONE_PASS_SIGNATURE = 4
    COMPRESSED = 8
    SEALED_UNPROTECTED = 9
    MARKER = 10
    LITERAL = 11
    SEALED = 18
    SEALED_AEAD = 20
    PADDING = 21


class NoPackets(Exception):
    """These bytes are no packets, or were cut short."""


@dataclass(frozen=True)
class Begin:
    """A packet begins. `length`: of its body in bytes; None where its header does not say."""

    tag: int
    length: int | None


@dataclass(frozen=True)
class Body:
    """A piece of the body of the packet that began last."""

    content: memoryview


@dataclass(frozen=True)
class End:
    """The packet that began last is over."""


class PacketReader:
    """Reads packets. Between two pieces it holds no more than a header that was cut."""

    def __init__(self) -> None:
        self._held = b""
        self._is_open = False
        self._left: int | None = 0  # bytes of this part of the body; None: up to the end of the stream
        self._is_last_part = True

    @property
    def is_between(self) -> bool:
        """True when everything so far was whole packets."""
        return not self._held and (not self._is_open or self._left is None)

    def feed(self, piece: bytes) -> Iterator[Begin | Body | End]:
        """What the next bytes of the stream hold. To be read to its end. Raises NoPackets."""
        data, at = memoryview(self._held + piece), 0
        self._held = b""
        while True:
            if not self._is_open:
                header = _read_header(data[at : at + _LONGEST_HEADER])
                if header is None:
                    break
                tag, used, self._left, self._is_last_part = header
                self._is_open, at = True, at + used
                yield Begin(tag, self._left if self._is_last_part else None)
            elif self._left != 0:
                content = data[at:] if self._left is None else data[at : at + self._left]
                if not content:
                    break
                self._left = None if self._left is None else self._left - len(content)
                at += len(content)
                yield Body(content)
            elif not self._is_last_part:
                length = _read_length(data[at : at + _LONGEST_HEADER])
                if length is None:
                    break
                used, self._left, self._is_last_part = length
                at += used
            else:
                self._is_open = False
                yield End()
        self._held = bytes(data[at:])


def _read_header(data: memoryview) -> tuple[int, int, int | None, bool] | None:
    """Of the packet that begins here: its tag, its header’s size, and then as _read_length. None: more is needed."""
    if not data:
        return None
    first = data[0]
    if not first & 0x80:
        raise NoPackets
    if first & 0x40:
        found = _read_length(data[1:])
        return None if found is None else (first & 0x3F, 1 + found[0], *found[1:])
    octets = _OLD_LENGTHS[first & 3]
    if len(data) < 1 + octets:
        return None
    return first >> 2 & 0x0F, 1 + octets, int.from_bytes(data[1 : 1 + octets]) if octets else None, True


def _read_length(data: memoryview) -> tuple[int, int, bool] | None:
    """The size of a length of the present form, the length, and whether no other part follows. None: more is needed.

    Raises NoPackets for a part that is smaller than the first may be, wherever it stands (RFC 9580, 4.2.1.4).
    """
    if not data:
        return None
    first = data[0]
    if _TWO_OCTETS <= first < _PART:
        return (2, ((first - _TWO_OCTETS) << 8) + data[1] + _TWO_OCTETS, True) if len(data) > 1 else None
    if first == _FIVE_OCTETS:
        return (5, int.from_bytes(data[1:5]), True) if len(data) > 4 else None
    if first < _TWO_OCTETS:
        return 1, first, True
    length = 1 << (first & 0x1F)
    if length < _SMALLEST_PART:  # each costs as much as a large one
        raise NoPackets
    return 1, length, False
