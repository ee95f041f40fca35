"""A report on its way from one seal into the next: its files pass by, in one stream, and are held nowhere.

The first pass has read the end of the archive (`archive.Tail`); so it is known where each file lies. The second
streams by and hands each file on, checked against the manifest. An archive whose files do not lie one after the other,
as Candour writes them, is refused.
"""

import hashlib
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from common.report.archive import FilePart, NotAnEnvelope, Tail, WrongFile, span
from common.report.filename import FOLDER
from common.report.report import Attachment

_HELD = 4  # pieces between the one gpg and the other


class Passing:
    """The files of an archive that streams by. `parts` first, to its end; then `check`."""

    def __init__(self, tail: Tail, files: Sequence[Attachment], stream: Iterator[bytes]) -> None:
        self._spans = [(*span(tail, file), file) for file in files]
        ends = [0, *(end for _, end, _ in self._spans)]
        if any(begin < end for (begin, _, _), end in zip(self._spans, ends, strict=False)):
            raise NotAnEnvelope
        self._whole = tail.sha256.hexdigest()
        self._digest = hashlib.sha256()
        self._stream = stream
        self._rest = b""
        self._at = 0

    def parts(self) -> Iterator[FilePart]:
        """Each file, to be read to its end before the next. Raises WrongFile."""
        for begin, end, file in self._spans:
            for _ in self._take(begin - self._at):
                pass
            yield FilePart(file.name.removeprefix(FOLDER).partition("-")[2], self._checked(end, file))

    def check(self) -> None:
        """Let the rest pass, and see that it was the same archive as at first. Raises WrongFile."""
        self._digest.update(self._rest)
        for chunk in self._stream:
            self._digest.update(chunk)
        if self._digest.hexdigest() != self._whole:
            raise WrongFile

    def _checked(self, end: int, file: Attachment) -> Iterator[bytes]:
        digest = hashlib.sha256()
        for chunk in self._take(end - self._at):
            digest.update(chunk)
            yield chunk
        if digest.hexdigest() != file.sha256:
            raise WrongFile

    def _take(self, size: int) -> Iterator[bytes]:
        while size:
            chunk = self._rest or next(self._stream, b"")
            if not chunk:
                raise WrongFile
            taken, self._rest = chunk[:size], chunk[size:]
            self._digest.update(taken)
            self._at += len(taken)
            size -= len(taken)
            yield taken


class _Stopped(Exception):
    """Nobody pulls any more."""


class Pulled:
    """What `push` pushes in a thread of its own, to be pulled here; no more than a few pieces are held.

    Use it within `with`: at its end the thread is over, whatever was raised.
    """

    def __init__(self, push: Callable[[Callable[[bytes], None]], object]) -> None:
        self._queue: queue.Queue[bytes | None] = queue.Queue(_HELD)
        self._stopped = False
        self._ended = False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(push,))

    def __enter__(self) -> Iterator[bytes]:
        self._thread.start()
        return self._pieces()

    def __exit__(self, *_: object) -> None:
        self._stopped = True
        while not self._ended:
            self._ended = self._queue.get() is None
        self._thread.join()

    def _pieces(self) -> Iterator[bytes]:
        while (piece := self._queue.get()) is not None:
            yield piece
        self._ended = True
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _run(self, push: Callable[[Callable[[bytes], None]], object]) -> None:
        def put(chunk: bytes) -> None:
            if self._stopped:
                raise _Stopped
            self._queue.put(chunk)

        try:
            with suppress(_Stopped):
                push(put)
        except BaseException as error:  # noqa: BLE001  raised again where the pieces are pulled
            self._failure = error
        finally:
            self._queue.put(None)
