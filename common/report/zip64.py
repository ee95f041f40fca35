"""Writes a ZIP archive as it comes, in one pass, with sizes that are known beforehand.

Every entry is stored (never deflated: a report's size must not depend on its content), always carries ZIP64
fields and a data descriptor, so that what each part costs in bytes depends on its name and length alone. That
is what lets an envelope be padded exactly. Opened by any unzip; read here with the standard library.
Source: PKWARE APPNOTE 6.3.10, sections 4.3.7 to 4.3.16, 4.5.3.
"""

import zlib
from dataclasses import dataclass
from struct import pack

_VERSION = 45  # 4.5: ZIP64
_MADE_BY_UNIX = (3 << 8) | _VERSION
_FLAGS = (1 << 3) | (1 << 11)  # sizes follow in a data descriptor; names are UTF-8
_FIRST_OF_1980 = 0x0021  # the format's earliest day: an archive tells no time
_OWNER_READS_AND_WRITES = 0o100600 << 16
_IN_ZIP64 = 0xFFFFFFFF

_LOCAL_HEADER = 30 + 20
_DESCRIPTOR = 24
_CENTRAL_HEADER = 46 + 28
_END = 56 + 20 + 22


def entry_cost(name: str) -> int:
    """Bytes an entry adds to an archive besides its content, counting its place in the directory."""
    return _LOCAL_HEADER + _DESCRIPTOR + _CENTRAL_HEADER + 2 * len(name.encode())


END_COST = _END


@dataclass(frozen=True)
class _Entry:
    name: bytes
    crc: int
    size: int
    offset: int


class ZipWriter:
    """Gives back the bytes of the archive piece by piece: begin, content, end of each entry, then finish."""

    def __init__(self) -> None:
        self.written = 0
        self._entries: list[_Entry] = []
        self._name = b""
        self._crc = 0
        self._size = 0
        self._offset = 0

    def begin(self, name: str) -> bytes:
        """The local header of the next entry."""
        self._name, self._crc, self._size, self._offset = name.encode(), 0, 0, self.written
        header = pack(
            "<4sHHHHHLLLHH",
            *(b"PK\x03\x04", _VERSION, _FLAGS, 0, 0, _FIRST_OF_1980),
            *(0, _IN_ZIP64, _IN_ZIP64, len(self._name), 20),
        )
        return self._count(header + self._name + pack("<HHQQ", 1, 16, 0, 0))

    def content(self, chunk: bytes) -> bytes:
        """A piece of the entry's content, counted; the same bytes go into the archive."""
        self._crc = zlib.crc32(chunk, self._crc)
        self._size += len(chunk)
        return self._count(chunk)

    def end(self) -> bytes:
        """The entry's data descriptor."""
        self._entries.append(_Entry(self._name, self._crc, self._size, self._offset))
        return self._count(pack("<4sLQQ", b"PK\x07\x08", self._crc, self._size, self._size))

    def finish(self) -> bytes:
        """The central directory and the end records."""
        start = self.written
        directory = b"".join(map(_central_header, self._entries))
        count = len(self._entries)
        zip64_end = pack(
            "<4sQHHLLQQQQ",
            *(b"PK\x06\x06", 44, _MADE_BY_UNIX, _VERSION, 0, 0),
            *(count, count, len(directory), start),
        )
        locator = pack("<4sLQL", b"PK\x06\x07", 0, start + len(directory), 1)
        end = pack("<4sHHHHLLH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, _IN_ZIP64, _IN_ZIP64, 0)
        return self._count(directory + zip64_end + locator + end)

    def _count(self, piece: bytes) -> bytes:
        self.written += len(piece)
        return piece


def _central_header(entry: _Entry) -> bytes:
    header = pack(
        "<4sHHHHHHLLLHHHHHLL",
        *(b"PK\x01\x02", _MADE_BY_UNIX, _VERSION, _FLAGS, 0, 0, _FIRST_OF_1980),
        *(entry.crc, _IN_ZIP64, _IN_ZIP64, len(entry.name), 28),
        *(0, 0, 0, _OWNER_READS_AND_WRITES, _IN_ZIP64),
    )
    return header + entry.name + pack("<HHQQQ", 1, 24, entry.size, entry.size, entry.offset)
