"""Small envelopes, many in one answer of the collection: over Tor each request costs a second, whatever it brings.

    16 bytes id | 4 bytes length, big-endian | the sealed bytes        again and again, in rising order of id

There is no end mark: whoever sends it says by other means (chunked transfer) that nothing was cut off.
"""

import struct
from collections.abc import Iterable, Iterator

SMALL_BYTES = 256 * 1024  # an envelope no larger than this may travel in a parcel
_HEAD = struct.Struct(">16sI")


class NotAParcel(Exception):
    """These bytes are no parcel, or one that was cut off."""


def head(envelope_id: str, size: int) -> bytes:
    """What stands before an envelope's bytes."""
    return _HEAD.pack(bytes.fromhex(envelope_id), size)


def read(untrusted_chunks: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """Id and bytes of each envelope, as they arrive; holds no more than one of them. Raises NotAParcel."""
    held = bytearray()
    last = ""
    for chunk in untrusted_chunks:
        held += chunk
        begin = 0
        while begin + _HEAD.size <= len(held):
            identity, size = _HEAD.unpack_from(held, begin)
            if size > SMALL_BYTES or identity.hex() <= last:
                raise NotAParcel
            end = begin + _HEAD.size + size
            if end > len(held):
                break
            last = identity.hex()
            yield last, bytes(held[begin + _HEAD.size : end])
            begin = end
        del held[:begin]
    if held:
        raise NotAParcel
