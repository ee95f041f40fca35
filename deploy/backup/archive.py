"""The archive inside a backup: a plain tar of plain files, so that gpg and tar alone can open it in need.

    format.json          first: the format, the shape of the rows, what kind of set-up it is, the day
    settings/…           server.toml, registry.json, registry-root.pub, pepper
    onions/SERVICE/…     on a host: tor's keys of each onion service, and who is let in
    rows/TABLE/NNNNNN    the rows, in pieces
    blobs/ID             the sealed envelopes that those rows name
    manifest.json        last: size and SHA-256 of all the others

Every time in it is midnight of its day. Whoever has the operator's certificate can make such a file: what comes out of
one is untrusted until it has been checked, and is taken whole or not at all.
"""

import hashlib
import re
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from common import canonical
from common.days import midnight_of
from common.names import LONGEST_ID
from common.store.snapshot import MOST_PIECE_BYTES, TABLES
from deploy.backup.errors import BackupFailed, RestoreRefused
from deploy.backup.layout import CLIENTS, HOSTNAME, PUBLIC_KEY, SECRET_KEY, SERVICES, SETTINGS_FILES

FORMAT = 1
FORMAT_FILE, MANIFEST = "format.json", "manifest.json"
BLOCK = 512
_END = bytes(2 * BLOCK)
_MOST_MANIFEST_BYTES = 512 * 1024**2
_MOST_BLOB_BYTES = 64 * 1024**3

# What may be in an archive, and how many bytes each may have.
_MAY_HOLD: tuple[tuple[re.Pattern[str], int], ...] = (
    (re.compile(re.escape(FORMAT_FILE)), 4096),
    (re.compile(f"settings/(?:{'|'.join(map(re.escape, SETTINGS_FILES))})"), 16 * 1024**2),
    (re.compile(f"onions/(?:{'|'.join(SERVICES)})/(?:{HOSTNAME}|{PUBLIC_KEY}|{SECRET_KEY})"), 4096),
    (
        re.compile(
            rf"onions/(?:{'|'.join(SERVICES)})/{CLIENTS}/[A-Za-z0-9_][A-Za-z0-9_.-]{{0,{LONGEST_ID - 1}}}\.auth"
        ),
        4096,
    ),
    (re.compile(f"rows/(?:{'|'.join(TABLES)})/[0-9]{{6}}"), MOST_PIECE_BYTES),
    (re.compile(r"blobs/[0-9a-f]{32}"), _MOST_BLOB_BYTES),
    (re.compile(re.escape(MANIFEST)), _MOST_MANIFEST_BYTES),
)


def most_bytes(untrusted_name: str) -> int:
    """How large a file of this name may be; 0 for a name that nothing in an archive has."""
    return next((most for pattern, most in _MAY_HOLD if pattern.fullmatch(untrusted_name)), 0)


@dataclass(frozen=True)
class Member:
    """What the manifest says of a file."""

    size: int
    sha256: str


class Writer:
    """Makes an archive as a stream of bytes, and remembers what went into it."""

    def __init__(self, day: date) -> None:
        self._day = day
        self.members: dict[str, Member] = {}

    def file(self, name: str, size: int, content: Iterable[bytes]) -> Iterator[bytes]:
        """A file of the archive. Raises BackupFailed where Reader would not take it or the content has another size."""
        if not 0 < size <= most_bytes(name) or name in self.members:
            raise BackupFailed(
                f"{name} ({size} bytes) could not be restored: Candour makes none of such a name or size. See how it "
                "came there, take it away, then make the backup again."
            )
        yield self._header(name, size)
        digest, seen = hashlib.sha256(), 0
        for piece in content:
            digest.update(piece)
            seen += len(piece)
            yield piece
        if seen != size:
            raise BackupFailed(f"{name} changed while it was read. Make the backup again.")
        yield bytes(-size % BLOCK)
        self.members[name] = Member(size, digest.hexdigest())

    def _header(self, name: str, size: int) -> bytes:
        """One block. A long name is cut at a slash, as POSIX has it; GNU's own way knows files beyond 8 GiB."""
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = size, 0o600, int(midnight_of(self._day))
        return info.tobuf(tarfile.USTAR_FORMAT if len(name) > tarfile.LENGTH_NAME else tarfile.GNU_FORMAT)

    def small(self, name: str, content: bytes) -> Iterator[bytes]:
        """A small file of the archive."""
        return self.file(name, len(content), [content])

    def end(self) -> Iterator[bytes]:
        """The manifest and the archive's end."""
        listed = {name: [member.size, member.sha256] for name, member in self.members.items()}
        yield from self.small(MANIFEST, canonical.dump({"files": listed}))
        yield _END


class Sink(Protocol):
    """Takes in one file."""

    def write(self, piece: bytes, /) -> object: ...

    def close(self) -> None:
        """The file has come whole."""


class Reader:
    """Takes an archive apart as its bytes come in.

    `begin` is called with each file's name and size, both within bounds, and gives the sink for its bytes.
    """

    def __init__(self, begin: Callable[[str, int], Sink]) -> None:
        self._begin = begin
        self._held = bytearray()  # part of a header
        self._sink: Sink | None = None
        self._name = ""
        self._left = self._padding = self._zeros = 0
        self._size, self._digest = 0, hashlib.sha256()
        self.members: dict[str, Member] = {}
        self.ended = False

    def feed(self, piece: bytes) -> None:
        """The next bytes. Raises RestoreRefused, or whatever `begin` and its sinks raise."""
        view = memoryview(piece)
        while view:
            if self._sink is not None and self._left:
                taken = view[: self._left]
                self._content(bytes(taken))
            elif self._padding:
                taken = view[: self._padding]
                self._padding -= len(taken)
            else:
                taken = view[: BLOCK - len(self._held)]
                self._held += taken
                if len(self._held) == BLOCK:
                    self._header(bytes(self._held))
                    self._held.clear()
            view = view[len(taken) :]

    def _content(self, piece: bytes) -> None:
        assert self._sink is not None  # noqa: S101
        self._sink.write(piece)
        self._digest.update(piece)
        self._left -= len(piece)
        if not self._left:
            self._close()

    def _close(self) -> None:
        assert self._sink is not None  # noqa: S101
        self._sink.close()
        self._sink = None
        self.members[self._name] = Member(self._size, self._digest.hexdigest())

    def _header(self, block: bytes) -> None:
        if block == bytes(BLOCK):
            self._zeros += 1
            self.ended = self._zeros >= len(_END) // BLOCK
            return
        if self._zeros:
            raise RestoreRefused(_STRANGE)
        try:
            info = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
        except (tarfile.TarError, ValueError) as error:
            raise RestoreRefused(_STRANGE) from error
        if info.type != tarfile.REGTYPE or info.linkname or info.name in self.members:
            raise RestoreRefused(_STRANGE)
        if not 0 < info.size <= most_bytes(info.name) or MANIFEST in self.members:
            raise RestoreRefused(_STRANGE)
        if (info.name == FORMAT_FILE) != (not self.members):
            raise RestoreRefused(_STRANGE)
        self._name, self._size, self._left = info.name, info.size, info.size
        self._padding = -info.size % BLOCK
        self._digest = hashlib.sha256()
        self._sink = self._begin(info.name, info.size)


_STRANGE = (
    "There is something in this backup that this version of Candour would not have written. Nothing was put in place. "
    "Use the version that made it; if it is that one, do not trust this file."
)


def check_manifest(untrusted: bytes, members: dict[str, Member]) -> None:
    """Hold what came against what the manifest lists. Raises RestoreRefused."""
    try:
        listed = canonical.inner(canonical.load(untrusted), "files")
        wanted = {name: Member(*_pair(entry)) for name, entry in listed.items()}
    except canonical.NotCanonical as error:
        raise RestoreRefused(_STRANGE) from error
    if wanted != {name: member for name, member in members.items() if name != MANIFEST}:
        raise RestoreRefused(
            "What is in this backup is not what its manifest lists. Nothing was put in place. Use another backup."
        )


def _pair(entry: Any) -> tuple[int, str]:
    match entry:
        case [int(size), str(sha256)]:
            return size, sha256
    raise canonical.NotCanonical("not a size and a hash")
