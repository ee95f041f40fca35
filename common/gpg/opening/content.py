"""What was within a sealed message, once gpg has taken off the seal: one content, as it is or compressed once.

These packets are read here and never by gpg. A message within the message, or anything else that gpg would go on to
open, is refused where it begins. What expands is expanded step by step, and no further than was allowed. RFC 9580,
5.6 (compressed), 5.9 (content), 10.3. Signatures within are passed over: nothing here rests on them.
"""

import bz2
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

from common.gpg.opening.failure import OpeningFailed, Unopened
from common.gpg.opening.packets import Begin, Body, NoPackets, PacketReader, Tag

_STEP = 1024 * 1024  # bytes expanded at a time
_KIND_AND_SIZE, _DATE = 2, 4  # bytes of a literal packet around the name
_MOST_PACKETS = 64
_MOST_BESIDE = 64 * 1024  # bytes of a packet that is passed over
_PASSED_OVER = frozenset({Tag.SIGNATURE, Tag.ONE_PASS_SIGNATURE, Tag.MARKER, Tag.PADDING})
_MORE = frozenset(  # what would be opened after or within the content
    {
        Tag.KEY_SESSION,
        Tag.PASSPHRASE_SESSION,
        Tag.COMPRESSED,
        Tag.SEALED_UNPROTECTED,
        Tag.LITERAL,
        Tag.SEALED,
        Tag.SEALED_AEAD,
    }
)


class Inside:
    """Reads the content out of the packets. `most`: bytes that may come out."""

    def __init__(self, most: int, *, may_be_compressed: bool = True) -> None:
        self._most = most
        self._may_be_compressed = may_be_compressed
        self._packets = PacketReader()
        self._count = 0
        self._within: int = Tag.MARKER
        self._literal: _Literal | None = None
        self._compressed: _Compressed | None = None

    def feed(self, untrusted: bytes) -> Iterator[bytes]:
        """The content that the next bytes hold, in pieces. To be read to its end. Raises OpeningFailed."""
        found = []
        try:
            for event in self._packets.feed(untrusted):
                if isinstance(event, Begin):
                    self._begin(event)
                elif isinstance(event, Body) and self._within == Tag.LITERAL and self._literal:
                    found.append(self._literal.feed(event.content))
                elif isinstance(event, Body) and self._within == Tag.COMPRESSED and self._compressed:
                    yield from self._compressed.feed(event.content)
        except (NoPackets, zlib.error, OSError, EOFError) as error:
            raise OpeningFailed(Unopened.DAMAGED) from error
        if content := b"".join(found):
            self._most -= len(content)
            if self._most < 0:
                raise OpeningFailed(Unopened.DAMAGED)
            yield content

    def close(self) -> None:
        """There is no more. Raises OpeningFailed unless all of one content came."""
        content = self._literal or self._compressed
        if content is None or not self._packets.is_between:
            raise OpeningFailed(Unopened.DAMAGED)
        content.close()

    def _begin(self, packet: Begin) -> None:
        self._count += 1
        self._within = packet.tag
        is_first = self._literal is None and self._compressed is None
        if packet.tag == Tag.LITERAL and is_first:
            self._literal = _Literal()
        elif packet.tag == Tag.COMPRESSED and is_first and self._may_be_compressed:
            self._compressed = _Compressed(Inside(self._most, may_be_compressed=False))
        elif packet.tag in _MORE or self._count > _MOST_PACKETS:
            raise OpeningFailed(Unopened.NESTED)
        elif packet.tag not in _PASSED_OVER or packet.length is None or packet.length > _MOST_BESIDE:
            raise OpeningFailed(Unopened.DAMAGED)


class _Literal:
    """The body of a literal packet: kind, name and date, which nobody needs here, then the content."""

    def __init__(self) -> None:
        self._head = b""
        self._is_read = False

    def feed(self, body: memoryview) -> memoryview:
        """The part of the body that is content."""
        if self._is_read:
            return body
        before = len(self._head)
        self._head += body[: _KIND_AND_SIZE + 255 + _DATE]
        if len(self._head) < _KIND_AND_SIZE:
            return body[:0]
        size = _KIND_AND_SIZE + self._head[1] + _DATE
        self._is_read = len(self._head) >= size
        return body[size - before :] if self._is_read else body[:0]

    def close(self) -> None:
        """Raises OpeningFailed unless the content began."""
        if not self._is_read:
            raise OpeningFailed(Unopened.DAMAGED)


class _Compressed:
    """The body of a compressed packet: how it is compressed, then packets."""

    def __init__(self, inside: Inside) -> None:
        self._inside = inside
        self._expander: _Expander | None = None

    def feed(self, body: memoryview) -> Iterator[bytes]:
        """The content that these bytes hold, expanded in steps."""
        if self._expander is None:
            if body[0] not in _EXPANDERS:
                raise OpeningFailed(Unopened.DAMAGED)
            self._expander, body = _EXPANDERS[body[0]](), body[1:]
        for step in self._expander.expand(body):
            yield from self._inside.feed(step)

    def close(self) -> None:
        """Raises OpeningFailed unless all of it came."""
        if self._expander is None or not self._expander.is_over:
            raise OpeningFailed(Unopened.DAMAGED)
        self._inside.close()


class _Expander(Protocol):
    """Undoes one way of compressing."""

    @property
    def is_over(self) -> bool:
        """True when what was compressed has ended, or may end here."""

    def expand(self, body: memoryview) -> Iterator[bytes]:
        """What these bytes expand to, a step at a time."""


class _Stored:
    is_over = True

    def expand(self, body: memoryview) -> Iterator[bytes]:
        yield bytes(body)


class _Inflated:
    def __init__(self, wbits: int) -> None:
        self._zlib = zlib.decompressobj(wbits)

    @property
    def is_over(self) -> bool:
        return self._zlib.eof and not self._zlib.unused_data

    def expand(self, body: memoryview) -> Iterator[bytes]:
        rest: memoryview | bytes = body
        while step := self._zlib.decompress(rest, _STEP):
            yield step
            rest = self._zlib.unconsumed_tail


class _Unzipped:
    def __init__(self) -> None:
        self._bz2 = bz2.BZ2Decompressor()

    @property
    def is_over(self) -> bool:
        return self._bz2.eof and not self._bz2.unused_data

    def expand(self, body: memoryview) -> Iterator[bytes]:
        rest: memoryview | bytes = body
        while step := self._bz2.decompress(rest, _STEP):  # raises EOFError for bytes after the end
            yield step
            rest = b""
            if self._bz2.needs_input or self._bz2.eof:
                break


_EXPANDERS: dict[int, Callable[[], _Expander]] = {
    0: _Stored,
    1: lambda: _Inflated(-zlib.MAX_WBITS),
    2: lambda: _Inflated(zlib.MAX_WBITS),
    3: _Unzipped,
}
