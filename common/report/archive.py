"""The archive inside a sealed report, written in one pass and read from its end.

    files/0001-photo.jpg …   as they come, never held in memory
    padding                  zeros, up to a Padmé size
    contact.gpg              where they were given: contact details, sealed once more (common/report/contact.py)
    report.txt               for a person with nothing but gpg and unzip
    report.json              the same for the desk
    manifest.json            SHA-256, size and kind of each file
    (ZIP directory)

The small parts stand after the padding, so that the desk can read a report by keeping no more than the last few
megabytes of whatever streams out of gpg, and so that where a file begins is said by the directory alone.
"""

import hashlib
import io
import struct
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

import puremagic

from common.report import report as reports
from common.report import zip64
from common.report.contact import MOST_SEALED_BYTES
from common.report.filename import archive_name, is_archive_name
from common.report.padding import padded_size
from common.report.report import Attachment, Report

PADDING = "padding"
CONTACT = "contact.gpg"
TEXT = "report.txt"
JSON = "report.json"
MANIFEST = "manifest.json"
TAIL_BYTES = 12 * 1024 * 1024  # holds the small parts of the largest report that intake takes
MOST_FILES = 1000  # more than any configuration allows: what the desk is ready to list

_SNIFFED = 4096  # bytes at a file's start that decide its kind
_ZEROS = bytes(256 * 1024)
_LOCAL_HEADER = 30
# What reading a hostile archive can raise: zipfile's own errors, and what it lets through from below.
_UNREADABLE = (zipfile.BadZipFile, struct.error, OSError, EOFError, LookupError, ValueError, RuntimeError)


class NotAnEnvelope(Exception):
    """What was sealed is not a report that Candour wrote. Keep the sealed file and tell the operator."""


@dataclass(frozen=True)
class FilePart:
    """A file on its way in: the name its sender gave it, and its content as it arrives."""

    untrusted_name: str = field(repr=False)
    chunks: Iterator[bytes] = field(repr=False)


@dataclass(frozen=True)
class Opened:
    """A report that was opened, and the files with it."""

    report: Report
    files: tuple[Attachment, ...]


def write(files: Iterable[FilePart], report: Callable[[], Report]) -> Iterator[bytes]:
    """The bytes of the archive, pulled: each piece is taken from `files` only when it is asked for.

    `report` is called once all files are through; what it raises, and what `files` raise, comes out here.
    """
    archive = zip64.ZipWriter()
    attachments: list[Attachment] = []
    for number, part in enumerate(files, 1):
        name = archive_name(number, part.untrusted_name)
        digest, size, head = hashlib.sha256(), 0, b""
        yield archive.begin(name)
        for chunk in part.chunks:
            if len(head) < _SNIFFED:
                head += chunk[: _SNIFFED - len(head)]
            digest.update(chunk)
            size += len(chunk)
            yield archive.content(chunk)
        yield archive.end()
        attachments.append(Attachment(name, size, digest.hexdigest(), sniff(head)))
    yield from _small_parts(archive, report(), tuple(attachments))


def _small_parts(
    archive: zip64.ZipWriter, report: Report, attachments: tuple[Attachment, ...]
) -> Iterator[bytes]:
    parts = {CONTACT: report.contact.sealed} if report.contact else {}
    parts |= {
        TEXT: reports.to_text(report, attachments),
        JSON: reports.to_json(report),
        MANIFEST: reports.to_manifest(attachments, report.contact),
    }
    directory = sum(zip64.entry_cost(file.name) for file in attachments)
    written_already = sum(file.size for file in attachments)
    unpadded = (
        written_already
        + directory
        + zip64.entry_cost(PADDING)
        + sum(zip64.entry_cost(name) + len(content) for name, content in parts.items())
        + zip64.END_COST
    )
    target = padded_size(unpadded)
    yield archive.begin(PADDING)
    missing = target - unpadded
    while missing:
        zeros = _ZEROS[: min(missing, len(_ZEROS))]
        missing -= len(zeros)
        yield archive.content(zeros)
    yield archive.end()
    for name, content in parts.items():
        yield archive.begin(name) + archive.content(content) + archive.end()
    yield archive.finish()
    if archive.written != target:
        raise RuntimeError("an envelope's size is not what padding.py says")


def sniff(head: bytes) -> str:
    """What a file's first bytes say it is: a media type, or `application/octet-stream`."""
    if not head:
        return "empty"
    try:
        return puremagic.from_string(head, mime=True) or "application/octet-stream"
    except (puremagic.PureError, ValueError):
        return "text/plain" if _is_text(head) else "application/octet-stream"


def _is_text(head: bytes) -> bool:
    try:
        head[:-3].decode() if len(head) > 3 else head.decode()
    except UnicodeDecodeError:
        return False
    return b"\0" not in head


class Tail:
    """Keeps the end of a stream, its length and its SHA-256, in constant memory."""

    def __init__(self, keep: int = TAIL_BYTES) -> None:
        self.size = 0
        self.sha256 = hashlib.sha256()
        self._keep = keep
        self._kept = bytearray()

    def feed(self, chunk: bytes) -> None:
        """The next piece of the stream."""
        self.size += len(chunk)
        self.sha256.update(chunk)
        self._kept += chunk
        if len(self._kept) > 2 * self._keep:
            del self._kept[: -self._keep]

    def archive(self) -> zipfile.ZipFile:
        """The directory and the small parts. Raises NotAnEnvelope."""
        try:
            return zipfile.ZipFile(_EndOfFile(bytes(self._kept), self.size))
        except _UNREADABLE as error:
            raise NotAnEnvelope from error


def read(tail: Tail) -> Opened:
    """The report in a stream that ended in `tail`. Raises NotAnEnvelope, whatever is wrong with it."""
    with tail.archive() as archive:
        entries = archive.infolist()
        if len(entries) > MOST_FILES + 5 or any(not _is_plain(entry) for entry in entries):
            raise NotAnEnvelope
        names = [entry.filename for entry in entries]
        try:
            manifest = archive.read(MANIFEST)
            files = reports.from_manifest(manifest)
            contact = reports.contact_from_manifest(manifest, lambda: _contact(archive))
            report = replace(reports.from_json(archive.read(JSON)), contact=contact)
        except _UNREADABLE as error:
            raise NotAnEnvelope from error
        sizes = {entry.filename: entry.file_size for entry in entries}
        if len(sizes) != len(names) or sorted(names) != sorted(
            [*(file.name for file in files), PADDING, *([CONTACT] if contact else []), TEXT, JSON, MANIFEST]
        ):
            raise NotAnEnvelope
        if len(files) > MOST_FILES or any(
            sizes[file.name] != file.size or not is_archive_name(file.name) for file in files
        ):
            raise NotAnEnvelope
    return Opened(report, files)


def _contact(archive: zipfile.ZipFile) -> bytes:
    if archive.getinfo(CONTACT).file_size > MOST_SEALED_BYTES:
        raise NotAnEnvelope
    return archive.read(CONTACT)


def _is_plain(entry: zipfile.ZipInfo) -> bool:
    stored = entry.compress_type == zipfile.ZIP_STORED and entry.compress_size == entry.file_size
    return stored and not entry.flag_bits & 1


class WrongFile(Exception):
    """The file is not the one that was sent: its checksum differs from the manifest's. It was not saved."""


def span(tail: Tail, file: Attachment) -> tuple[int, int]:
    """Where a file's content begins in the archive, and where it ends, in bytes."""
    with tail.archive() as archive:
        entry = archive.getinfo(file.name)
    # What stands between an entry's start and its content: its header, its name and its ZIP64 field.
    start = entry.header_offset + _LOCAL_HEADER + len(file.name.encode()) + 20
    return start, start + file.size


class Extract:
    """Takes one file out of a stream that passes by a second time, and checks it against the manifest."""

    def __init__(self, tail: Tail, file: Attachment, write: Callable[[bytes], object]) -> None:
        self._start, self._end = span(tail, file)
        self._at = 0
        self._file = file
        self._write = write
        self._digest = hashlib.sha256()

    def feed(self, chunk: bytes) -> None:
        """The next piece of the stream."""
        first, last = max(self._start - self._at, 0), min(self._end - self._at, len(chunk))
        self._at += len(chunk)
        if first < last:
            wanted = chunk[first:last]
            self._digest.update(wanted)
            self._write(wanted)

    def check(self) -> None:
        """To be called when the stream has ended. Raises WrongFile."""
        if self._digest.hexdigest() != self._file.sha256:
            raise WrongFile


class _EndOfFile(io.RawIOBase):
    """A file of `size` bytes of which only the end is there: reading before it is an error."""

    def __init__(self, end: bytes, size: int) -> None:
        super().__init__()
        self._end = end
        self._size = size
        self._at = 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise OSError("before the beginning")
        self._at = start + offset
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        first = self._at - (self._size - len(self._end))
        if first < 0:
            raise OSError("this part of the stream was not kept")
        wanted = self._end[first:] if size is None or size < 0 else self._end[first : first + size]
        self._at += len(wanted)
        return wanted
