"""Sealing to certificates, through GnuPG, as a stream.

The one place where the flags of sealing are decided:

- compression off: it would undo the padding, and let a size depend on content;
- recipients hidden, given as certificates: no keyring, no lock, no key IDs in the message, and gpg itself refuses an
  expired or revoked one. Given as bytes, a certificate goes to gpg as a descriptor of memory that nobody can write to
  any more (memfd_create(2), F_SEAL_WRITE), by no name that could lead elsewhere;
- the clock gpg writes into a message is midnight of the day: nobody learns the hour from it.
"""

import fcntl
import io
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from common.days import today
from common.gpg.runner import CHUNK, Gpg, Readable, midnight, private_home, tool

_SMALL = 16 * 1024  # bytes: sealed they fit into the smallest pipe that there is
_TO_STDOUT = Path("-")
Output = Path | int  # a file, which may be there, or a descriptor that is open for writing
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
Recipient = Path | bytes  # a certificate: a file of it, or all of it
_SEAL = [
    *("--no-keyring", "--lock-never", "--no-random-seed-file", "--no-autostart"),
    *("--compress-algo", "none", "-z", "0", "--cipher-algo", "AES256", "--digest-algo", "SHA256"),
    "--yes",  # an output that is there, empty and in place, is written into: it stays the same file
    *("--no-emit-version", "--no-comments", "--set-filename", ""),
    "--enable-special-filenames",  # `-&7` is the descriptor 7
]


class SealingFailed(Exception):
    """Sealing failed, so nothing was kept. Try again; if it happens again, tell the operator."""


class RecipientRefused(SealingFailed):
    """The recipient's certificate is expired, revoked or damaged, so nothing can be sealed to it now."""


class Pieces:
    """An iterator of pieces, as the file that gpg is fed from."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def read(self, _: int, /) -> bytes:
        """The next piece that is not empty; b"" at the end."""
        return next(filter(None, self._pieces), b"")


class _Sealing:
    """One gpg at work. `result` is there once `finish` has been called; so is `written`, where it writes no file.

    Its output goes to a file, and its few status lines fit into their pipe, so that nothing needs to be read while it
    is fed. python-gnupg's own way would start three threads, and leave one reading the source when gpg ends early.
    """

    result: Any

    def __init__(self, gpg: Gpg, arguments: list[str], descriptors: Sequence[int]) -> None:
        self.written = b""
        self._gpg = gpg
        self._whole = False
        self._process = gpg.start(arguments, descriptors=descriptors, clock=midnight(today()))

    def feed(self, chunk: bytes) -> bool:
        """False when gpg has ended before its input did: then `result` says why."""
        try:
            self._process.stdin.write(chunk)
        except BrokenPipeError:
            return False
        return True

    def end_of_input(self) -> None:
        """All of it has been fed."""
        with suppress(BrokenPipeError):
            self._process.stdin.flush()
            self._whole = True

    def finish(self) -> None:
        """Wait for gpg, whatever came of it."""
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self.result = self._gpg.read_status(self._process.stderr)
        with self._process.stdout as output:
            self.written = bytes(output.read())
        self.result.returncode = self._process.wait()
        self.result.ok = self.result.ok and self._whole


class Sealer:
    """Seals streams. Safe to share between threads; `home` stays empty."""

    def __init__(self, home: Path) -> None:
        self._gpg = tool(private_home(home), _SEAL, Gpg)

    def seal(self, source: Readable, recipients: Sequence[Recipient], output: Output) -> None:
        """Write `source`, sealed to the certificates in `recipients`, to `output`.

        Raises RecipientRefused, SealingFailed, or whatever `source.read` raises. `output` may then exist in
        part: it is the caller's to remove.
        """
        self.seal_each(source, [(recipients, output)])

    def seal_in_memory(self, content: bytes, recipients: Sequence[Recipient]) -> bytes:
        """The same for a few kilobytes, which no file ever holds: what comes out has to fit into a pipe."""
        if len(content) > _SMALL:
            raise ValueError("too much to be sealed in memory")
        return self.seal_each(io.BytesIO(content), [(recipients, _TO_STDOUT)])[0]

    def seal_each(
        self, source: Readable, copies: Sequence[tuple[Sequence[Recipient], Output]]
    ) -> list[bytes]:
        """The same for several outputs, each sealed to recipients of its own, in one pass of `source`.

        A gpg for each: no copy tells that there is another. All of them are whole when this returns; what it returns
        is what went to no file.
        """
        with ExitStack() as stack:
            at_work = [self._start(stack, recipients, output) for recipients, output in copies]
            while chunk := source.read(CHUNK):
                if not all(work.feed(chunk) for work in at_work):
                    break
            else:
                for work in at_work:
                    work.end_of_input()
        results = [work.result for work in at_work]
        if any(_refuses_a_recipient(result) for result in results):
            raise RecipientRefused
        if not all(result.ok and result.returncode == 0 for result in results):
            raise SealingFailed
        return [work.written for work in at_work]

    def _start(self, stack: ExitStack, recipients: Sequence[Recipient], output: Output) -> _Sealing:
        if not recipients:
            raise ValueError("sealed to nobody")
        place = f"-&{output}" if isinstance(output, int) else os.fspath(output)
        arguments = ["--encrypt", "--output", place, "--trust-model", "always"]
        with ExitStack() as inherited:
            descriptors = [output] if isinstance(output, int) else []
            for recipient in recipients:
                if isinstance(recipient, Path):
                    name = os.fspath(recipient)
                else:
                    descriptors.append(descriptor := _unchangeable(recipient))
                    inherited.callback(os.close, descriptor)
                    name = f"-&{descriptor}"
                arguments += ["--hidden-recipient-file", name]
            work = _Sealing(self._gpg, arguments, descriptors)
        stack.callback(work.finish)
        return work


def _unchangeable(content: bytes) -> int:
    """A descriptor of memory that holds this, at its beginning. Nobody can change it, nor make it longer or shorter."""
    descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        with open(descriptor, "wb", closefd=False) as memory:
            memory.write(content)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
        os.lseek(descriptor, 0, os.SEEK_SET)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _refuses_a_recipient(result: Any) -> bool:
    """An expired or revoked certificate, or one that was cut short, of which gpg would still use what there is."""
    return result.status.startswith("invalid recipient") or "[GNUPG:] NODATA" in result.stderr
