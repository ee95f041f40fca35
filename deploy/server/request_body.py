"""A request's body that gives what has arrived, at once and uncopied, where gunicorn's waits to fill its hands.

A large upload then costs a tenth of the processor time, and a slow one is seen to be slow: a read waits for the
network once at most.
"""

from functools import partial
from math import inf

from gunicorn.http.body import Body, LengthReader

_PIECE = 128 * 1024


class ArrivingBody(Body):  # type: ignore[misc]  # gunicorn carries no types
    """Once reading it has failed, it fails: what comes after is not taken for its end."""

    failed: bool

    @property
    def left(self) -> float:
        """How many bytes of it have yet to arrive; without end where nobody has said."""
        if isinstance(self.reader, LengthReader):
            return float(max(0, self.reader.length - self.reader.unreader.buf.getbuffer().nbytes))
        return inf if self.reader.parser and not self.failed else 0

    def read(self, size: int | None = None) -> bytes:
        """At most `size` bytes, or all; b"" at the end. Raises TooSlow, Crowded, OSError."""
        if size is None or size < 0:
            return b"".join(iter(partial(self.read, _PIECE), b""))
        if self.failed:
            raise ConnectionResetError
        if size == 0 or self.buf.tell():  # what readline has left
            return bytes(super().read(size))
        try:
            return self._arrived(size)
        except Exception:
            self.failed = True
            raise

    def _arrived(self, size: int) -> bytes:
        reader = self.reader
        if not isinstance(reader, LengthReader):  # in chunks
            first = bytes(reader.read(1))
            return first + bytes(reader.read(min(size - 1, reader.buf.tell()))) if first else b""
        size = min(size, reader.length)
        if size == 0:
            return b""
        held = bytes(reader.unreader.take_buffered())  # came with the head
        if held:
            reader.unreader.unread(held[size:])
            data = held[:size]
        else:  # past gunicorn's own reading, which would read on into the next request
            data = bytes(reader.unreader.sock.recv(min(size, reader.unreader.max_body_chunk)))
        reader.length -= len(data)
        return data
