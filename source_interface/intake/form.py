"""A form as it arrives: small fields kept in bounded memory, files handed on piece by piece.

Decoded with Werkzeug's sans-I/O multipart decoder, straight from the socket. Nothing of it is ever written down:
Flask's own form parsing, which spools large bodies into temporary files, is not used for these forms and is
switched off for all others (`request.NoSpoolRequest`).

The order of the fields matters: what decides (token, slot) and what is typed come before the first file, as the page
puts them. So it is known what to do with the files before their first byte.
"""

import re
from collections.abc import Iterator
from typing import Protocol

from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import NEED_DATA, Data, Epilogue, Event, Field, File, MultipartDecoder, State

from common.config import Limits
from common.report.archive import FilePart
from common.report.contact import LONGEST
from common.transport.pace import Crowded, TooSlow
from source_interface.refusals import Refused

_CHUNK = 128 * 1024
_LONGEST_PART_HEADER = 16 * 1024
_BUFFER = _CHUNK + _LONGEST_PART_HEADER
_A_FEW = 64  # bytes
_MOST_FIELDS = 16
_LONGEST_FIELD = 1024  # bytes, for all but what is typed
_BYTES_A_CHARACTER = 4  # at most: UTF-8, RFC 3629
_UNDECIDED = re.compile(
    rb"-|[^\S\r\n]*"
)  # behind a delimiter: half of its closing dashes, or padding (RFC 2046, 5.1.1)
TEXT = "text"
CONTACT = "contact"
FILES = "files"


class Body(Protocol):
    """The request's body: gives at most `size` bytes, and b"" when there are no more."""

    def read(self, size: int, /) -> bytes: ...


class StreamedForm:
    """One multipart form. Call `read_fields`, then go through `files`, then look at `fields` again.

    `length`: how many bytes it has, where that was said. One that ends before them was cut off.
    """

    def __init__(self, body: Body, content_type: str, length: int | None, limits: Limits) -> None:
        kind, options = parse_options_header(content_type)
        boundary = options.get("boundary", "")
        if kind != "multipart/form-data" or not 1 <= len(boundary) <= 70 or not boundary.isascii():
            raise Refused("broken")
        self.fields: dict[str, str] = {}
        self._body = body
        self._length = length
        self._limits = limits
        self._decoder = MultipartDecoder(boundary.encode("ascii"), max_form_memory_size=_BUFFER)
        self._delimiter = b"--" + boundary.encode("ascii")
        self._events = self._decode()
        self._first_file: File | None = None
        # What is typed and not too long is kept whole, so that it can be given back, in whichever field it stands.
        self._typed_left = _BYTES_A_CHARACTER * (limits.max_text_chars + LONGEST)
        self._parts = 0
        self._files = 0
        self._received = 0

    @property
    def text(self) -> str:
        """What has been typed, as far as it has arrived."""
        return self.fields.get(TEXT, "")

    @property
    def contact(self) -> str:
        """What has been typed to be told in confidence."""
        return self.fields.get(CONTACT, "")

    @property
    def has_files(self) -> bool:
        """True when a file comes, once the fields before it have been read."""
        return self._first_file is not None

    def read_fields(self) -> None:
        """Read up to the first file, or to the end. Raises Refused."""
        self._first_file = self._next_file()

    def files(self) -> Iterator[FilePart]:
        """The files, in order; each is to be read to its end before the next. Raises Refused."""
        file = self._first_file
        while file is not None:
            chunks = self._content(self._limits.max_file_bytes)
            first = next(chunks, b"")
            if file.filename or first:  # a browser sends one nameless, empty file when none was chosen
                self._files += 1
                if self._files > self._limits.max_files:
                    raise Refused("too many files", field=FILES)
                yield FilePart(file.filename, _prepend(first, chunks))
            file = self._next_file()

    def _next_file(self) -> File | None:
        """Keep the fields that come, up to the next file. None at the end."""
        for event in self._events:
            self._parts += 1
            if self._parts > _MOST_FIELDS + self._limits.max_files:
                raise Refused("broken")
            if isinstance(event, File):
                return event
            if isinstance(event, Field):
                self._keep(event)
        return None

    def _keep(self, field: Field) -> None:
        if not field.name or field.name in self.fields:
            raise Refused("broken")
        cut = {TEXT: "text cut", CONTACT: "contact cut"}.get(field.name)
        most = _BYTES_A_CHARACTER * self._limits.max_text_chars
        longest = min(most, self._typed_left) if cut else _LONGEST_FIELD
        content = bytearray()
        try:
            for chunk in self._content(None):
                room = longest - len(content)
                content += chunk[:room]
                if len(chunk) > room:
                    raise Refused(cut, field=field.name) if cut else Refused("broken")
        finally:  # also when it broke off: what had arrived can be given back
            self._typed_left -= len(content) if cut else 0
            self.fields[field.name] = content.decode(errors="replace")

    def _content(self, most: int | None) -> Iterator[bytes]:
        """The content of the part that has just begun."""
        size = 0
        for event in self._events:
            if not isinstance(event, Data):
                raise Refused("broken")
            size += len(event.data)
            if most is not None and size > most:
                raise Refused("file too large", field=FILES)
            if event.data:
                yield event.data
            if not event.more_data:
                return

    def _decode(self) -> Iterator[Event]:
        """The decoder's events, pulled from the body as they are asked for."""
        while True:
            try:
                while self._ends_within_delimiter():
                    self._decoder.receive_data(self._read(_A_FEW))
                event = self._decoder.next_event()
                if event is NEED_DATA:
                    if self._decoder.state is State.DATA:
                        yield from self._plain_content()
                    else:
                        self._decoder.receive_data(self._read())
                    continue
            except (ValueError, UnicodeDecodeError, RequestEntityTooLarge) as error:
                raise Refused("broken") from error
            if isinstance(event, Epilogue):
                return
            if isinstance(event, Field | File | Data):
                yield event

    def _ends_within_delimiter(self) -> bool:
        """True while only what comes next tells whether the last delimiter at hand ends a part, or the whole.

        Asked too early, the decoder takes the line break before `--boundary-` for content: a file would be altered.
        """
        decoder = self._decoder
        if decoder.complete or decoder.state not in (State.DATA_START, State.DATA):
            return False
        at = decoder.buffer.rfind(self._delimiter)
        return at >= 0 and _UNDECIDED.fullmatch(decoder.buffer, at + len(self._delimiter)) is not None

    def _plain_content(self) -> Iterator[Event]:
        """Within a part: pass on what holds no delimiter as it is, and leave the rest to the decoder.

        The decoder copies each piece several times to find a delimiter that is not there.
        """
        held = bytes(self._decoder.buffer)  # at most what could have begun a delimiter
        chunk = self._read()
        if chunk is None or self._delimiter in (whole := held + chunk if held else chunk):
            self._decoder.receive_data(chunk)
            return
        window = max(0, len(whole) - len(self._delimiter) - 2)  # a delimiter stands after a line break
        breaks = [place for mark in (b"\r", b"\n") if (place := whole.find(mark, window)) >= 0]
        end = min(breaks, default=len(whole))
        self._decoder.buffer[:] = whole[end:]
        if end:
            yield Data(whole[:end] if end < len(whole) else whole, more_data=True)

    def _read(self, most: int = _CHUNK) -> bytes | None:
        left = most if self._length is None else min(most, self._length - self._received)
        try:
            chunk = self._body.read(left) if left > 0 else b""
        except (TooSlow, Crowded) as error:
            raise Refused("too slow" if isinstance(error, TooSlow) else "busy") from error
        except (OSError, ClientDisconnected) as error:  # the connection is gone
            raise Refused("cut") from error
        self._received += len(chunk)
        if self._received > self._limits.max_report_bytes:
            raise Refused("report too large", field=FILES)
        if not chunk and self._length is not None and self._received < self._length:
            raise Refused("cut")
        return chunk or None


def _prepend(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest
