"""Sealing to certificates and opening with an agent's key, through GnuPG, as a stream.

The one place where gpg's flags are decided:

- compression off: it would undo the padding, and let a size depend on content;
- recipients hidden, given as files: no keyring, no lock, no key IDs in the message, and gpg itself refuses an
  expired or revoked certificate;
- the clock gpg writes into a message is midnight of the day: nobody learns the hour from it;
- status lines are parsed by python-gnupg; what gpg says in words is never shown or logged.

Nothing that is sealed here passes through a file, an argument or the environment: it goes down a pipe.
"""

import copy
import fcntl
import io
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

import gnupg

from common.days import today
from common.secret import Secret

logging.getLogger("gnupg").setLevel(logging.CRITICAL)  # it logs tracebacks of whatever a stream raises

_CHUNK = 1024 * 1024
_SMALL = 16 * 1024  # bytes: sealed they fit into the smallest pipe that there is
_TO_STDOUT = Path("-")

_SEAL = [
    *("--no-options", "--no-keyring", "--lock-never", "--no-random-seed-file", "--no-autostart"),
    *("--compress-algo", "none", "-z", "0", "--cipher-algo", "AES256", "--digest-algo", "SHA256"),
    *("--no-emit-version", "--no-comments", "--set-filename", ""),
]
_ASK_NOBODY = ["--pinentry-mode", "cancel"]
_OPEN = ["--no-options", "--no-auto-key-retrieve"]


class SealingFailed(Exception):
    """Sealing failed, so nothing was kept. Try again; if it happens again, tell the operator."""


class RecipientRefused(SealingFailed):
    """The recipient's certificate is expired, revoked or damaged, so nothing can be sealed to it now."""


class Unopened(StrEnum):
    """Why something did not open."""

    NOT_SEALED = "not-sealed"
    NO_KEY = "no-key"
    DAMAGED = "damaged"
    MISSING = "missing"


_SENTENCES = {
    Unopened.NOT_SEALED: "It is not a sealed message.",
    Unopened.NO_KEY: "It is not sealed to a key that is here, or the key is locked: its card or passphrase is missing.",
    Unopened.DAMAGED: "It is damaged, was cut short, or is not sealed to a key that is here.",
    Unopened.MISSING: "It is not there.",
}


class OpeningFailed(Exception):
    """This did not open. `reason` says why."""

    def __init__(self, reason: Unopened) -> None:
        super().__init__(_SENTENCES[reason])
        self.reason = reason


class Readable(Protocol):
    """Anything that gives bytes when asked, and b"" at its end."""

    def read(self, size: int, /) -> bytes: ...


class _Crypt(gnupg.Crypt):  # type: ignore[misc]  # python-gnupg carries no types
    """What gpg tells of one message: whether it was intact, and the key that opened it, hidden recipient or not."""

    opened_by = ""
    broken = False

    def handle_status(self, key: str, value: str) -> None:
        if key == "DECRYPTION_KEY":
            self.opened_by = value.split(maxsplit=1)[0]
            return
        self.broken = self.broken or key in ("DECRYPTION_FAILED", "BADMDC")
        super().handle_status(key, value)


class _Gpg(gnupg.GPG):  # type: ignore[misc]  # python-gnupg carries no types
    """python-gnupg with larger pipes, and one thing put right.

    Where gpg ends before its input does, it raises what the pipe says instead of giving gpg's own reason.
    """

    result_map = gnupg.GPG.result_map | {"crypt": _Crypt}

    def _open_subprocess(self, args: list[str], passphrase: bool = False) -> Any:
        self.process = process = super()._open_subprocess(args, passphrase)
        for pipe in (process.stdin, process.stdout, process.stderr):
            with suppress(OSError):  # the system's limit of large pipes is reached: a small one does too
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _CHUNK)
        return process

    def _handle_io(self, args: list[str], source: Any, result: Any, *rest: Any, **named: Any) -> Any:
        try:
            return super()._handle_io(args, source, result, *rest, **named)
        except BrokenPipeError:
            result.ok = False  # whatever gpg made of it: not all of the input arrived
            return result


class _Sealing:
    """One gpg at work. `result` counts once `finish` has been called; so does `written`, where it writes no file.

    Its output goes to a file, and its few status lines fit into their pipe, so that nothing needs to be read while it
    is fed. python-gnupg's own way would start three threads, and leave one reading the source when gpg ends early.
    """

    def __init__(self, gpg: _Gpg, arguments: list[str]) -> None:
        self.written = b""
        self._gpg = gpg
        self._whole = False
        self._process = gpg._open_subprocess(arguments)  # noqa: SLF001  # ours
        self.result = gpg.result_map["crypt"](gpg)

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
        with io.TextIOWrapper(self._process.stderr, self._gpg.encoding) as status:
            self._gpg._read_response(status, self.result)  # noqa: SLF001
        with self._process.stdout as output:
            self.written = bytes(output.read())
        self.result.returncode = self._process.wait()
        self.result.ok = self.result.ok and self._whole


def private_home(folder: Path) -> Path:
    """A GnuPG home that only its owner can enter."""
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    for made in reversed(missing):
        made.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    return folder


def midnight(day: date) -> str:
    """gpg's argument for `the clock stands at this day's midnight, UTC`."""
    return day.strftime("%Y%m%dT000000!")


def gpg_environment() -> dict[str, str]:
    """All that gpg is told of the environment."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}


class Sealer:
    """Seals streams. Safe to share between threads; `home` stays empty."""

    def __init__(self, home: Path) -> None:
        self._gpg = _tool(private_home(home), _SEAL)

    def seal(self, source: Readable, recipients: Sequence[Path], output: Path) -> None:
        """Write `source`, sealed to the certificates in `recipients`, to the new file `output`.

        Raises RecipientRefused, SealingFailed, or whatever `source.read` raises. `output` may then exist in
        part: it is the caller's to remove.
        """
        self.seal_each(source, [(recipients, output)])

    def seal_in_memory(self, content: bytes, recipients: Sequence[Path]) -> bytes:
        """The same for a few kilobytes, which no file ever holds: what comes out has to fit into a pipe."""
        if len(content) > _SMALL:
            raise ValueError("too much to be sealed in memory")
        return self.seal_each(io.BytesIO(content), [(recipients, _TO_STDOUT)])[0]

    def seal_each(self, source: Readable, copies: Sequence[tuple[Sequence[Path], Path]]) -> list[bytes]:
        """The same for several outputs, each sealed to recipients of its own, in one pass of `source`.

        A gpg for each: no copy tells that there is another. All of them are whole when this returns; what it returns
        is what went to no file.
        """
        with ExitStack() as stack:
            at_work = [self._start(stack, recipients, output) for recipients, output in copies]
            while chunk := source.read(_CHUNK):
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

    def _start(self, stack: ExitStack, recipients: Sequence[Path], output: Path) -> _Sealing:
        if not recipients:
            raise ValueError("sealed to nobody")
        arguments = ["--encrypt", "--output", os.fspath(output), "--trust-model", "always"]
        for file in recipients:
            arguments += ["--hidden-recipient-file", os.fspath(file)]
        work = _Sealing(self._gpg, [*arguments, "--faked-system-time", midnight(today())])
        stack.callback(work.finish)
        return work


def _refuses_a_recipient(result: Any) -> bool:
    """An expired or revoked certificate, or one that was cut short, of which gpg would still use what there is."""
    return result.status.startswith("invalid recipient") or "[GNUPG:] NODATA" in result.stderr


class Opener:
    """Opens what was sealed, with the keys that the gpg-agent of `home` holds: in a file or on a card."""

    def __init__(self, home: Path) -> None:
        self._gpg = _tool(home, [])

    def open(
        self,
        sealed: Path | Readable,
        take: Callable[[bytes], None],
        most: int = 64 * 1024**3,
        *,
        ask: bool = True,
        passphrase: Secret | None = None,
    ) -> str:
        """Hand the content to `take`, piece by piece. The fingerprint of the key that opened it: 40 hex digits.

        `ask`: whether gpg may ask for a passphrase, whatever it is for. `passphrase`: the key's,
        given down the pipe; then nobody is asked.

        The pieces count only once this returns: gpg knows at the end alone whether the whole was intact. More
        than `most` bytes is refused. Raises OpeningFailed, or whatever `take` raises.
        """
        failure: list[Exception] = []
        left = most

        def on_data(chunk: bytes) -> bool:
            nonlocal left
            left -= len(chunk)
            if left < 0:
                failure.append(OpeningFailed(Unopened.DAMAGED))
                gpg.process.kill()  # what expands without end is not waited for
            if not failure:
                try:
                    take(chunk)
                except Exception as error:  # noqa: BLE001  # handed on below: python-gnupg's thread must drain the pipe
                    failure.append(error)
            return False  # python-gnupg is not to collect the pieces

        gpg = copy.copy(self._gpg)  # its callback and its process belong to one opening
        gpg.on_data = on_data
        with _source(sealed) as source:
            result = gpg.decrypt_file(
                source,
                passphrase=passphrase.reveal().decode("ascii") if passphrase else None,
                extra_args=[*_OPEN, *([] if ask or passphrase else _ASK_NOBODY)],
            )
        if failure:
            raise failure[0]
        # gpg's exit code tells nothing here: it counts every key that was tried before the right one as an error.
        if not result.ok or result.broken or not result.opened_by or result.returncode not in (0, 2):
            raise OpeningFailed(_why(result.status))
        return str(result.opened_by)


@contextmanager
def _source(sealed: Path | Readable) -> Iterator[Readable]:
    if not isinstance(sealed, Path):
        yield sealed
        return
    try:
        file = sealed.open("rb")
    except OSError as error:
        raise OpeningFailed(Unopened.MISSING) from error
    with file:
        yield file


def _why(status: str) -> Unopened:
    if "no secret key" in status or "passphrase" in status:
        return Unopened.NO_KEY
    return Unopened.NOT_SEALED if "no data" in status else Unopened.DAMAGED


def _tool(home: Path, options: list[str]) -> _Gpg:
    tool = _Gpg(gnupghome=os.fspath(home), env=gpg_environment(), options=options)
    tool.buffer_size = _CHUNK
    return tool
