"""The outside of a sealed message, read before gpg is given any of it: session keys for a few keys, then sealed data.

gpg tries each session key with each key it has, asks the person for each passphrase that a message wants, and goes on
with whatever stands after the message. So a message under a passphrase, one to many keys, and whatever comes after the
sealed data never reach it. RFC 9580, 10.3. Nothing is decrypted here. Sealed data without protection against changes
(tag 9) is none: gpg would refuse it too.
"""

from common.gpg.opening.failure import MOST_KEYS, OpeningFailed, Unopened
from common.gpg.opening.packets import Begin, End, NoPackets, PacketReader, Tag
from common.gpg.runner import Readable

_MOST_HEAD = 64 * 1024  # bytes before the sealed data
_SEALED_DATA = frozenset({Tag.SEALED, Tag.SEALED_AEAD})
_BEFORE_IT = frozenset({Tag.KEY_SESSION, Tag.MARKER, Tag.PADDING})


class Outside:
    """One sealed message, to be read as from a file. Nothing of another kind is given out.

    Raises OpeningFailed: here for what is no sealed message, in `read` for what has more than one, or a damaged one.
    """

    def __init__(self, untrusted: Readable) -> None:
        self._source = untrusted
        self._packets = PacketReader()
        self._keys = 0
        self._in_data = self._is_over = False
        self._head = b""
        while not self._in_data:
            if len(self._head) > _MOST_HEAD:
                raise OpeningFailed(Unopened.NOT_SEALED)
            self._head += self._next(_MOST_HEAD) or self._no_more()

    def read(self, size: int, /) -> bytes:
        """The next bytes of the message; b"" at its end."""
        head, self._head = self._head, b""
        return head or self._next(size)

    def _next(self, size: int) -> bytes:
        piece = self._source.read(size)
        try:
            for event in self._packets.feed(piece):
                if isinstance(event, Begin):
                    self._check(event)
                elif isinstance(event, End):
                    self._is_over = self._in_data
        except NoPackets as error:
            raise OpeningFailed(Unopened.DAMAGED if self._in_data else Unopened.NOT_SEALED) from error
        return piece

    def _check(self, packet: Begin) -> None:
        if self._is_over:
            raise OpeningFailed(Unopened.DAMAGED)
        if packet.tag in _SEALED_DATA and self._keys:
            self._in_data = True
        elif packet.tag == Tag.PASSPHRASE_SESSION:
            raise OpeningFailed(Unopened.SYMMETRIC)
        elif packet.tag not in _BEFORE_IT or not packet.length:
            raise OpeningFailed(Unopened.NOT_SEALED)
        self._keys += packet.tag == Tag.KEY_SESSION
        if self._keys > MOST_KEYS:
            raise OpeningFailed(Unopened.MANY_KEYS)

    @staticmethod
    def _no_more() -> bytes:
        raise OpeningFailed(Unopened.NOT_SEALED)
