"""GnuPG as Candour runs it: one command line, one environment, and python-gnupg put right.

`gpg_command` makes every command line. `run_gpg` runs one to its end, `start_gpg` one that is fed as it goes, and `Gpg`
lets python-gnupg do so. All of them raise OSError where gpg is not installed, and nothing for what gpg made of its
task: its exit code counts each key that was tried before the right one, so whoever asked judges by what came.

What gpg says in words is never shown or logged. Nothing secret passes through a file, an argument or the environment:
it goes down a pipe. No other module touches python-gnupg: what is private there, and used here, is held by
tests/common/gpg/test_python_gnupg.py.
"""

import fcntl
import io
import logging
import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, TypeVar

import gnupg

logging.getLogger("gnupg").setLevel(logging.CRITICAL)  # it logs tracebacks of whatever a stream raises

CHUNK = 1024 * 1024


class Readable(Protocol):
    """Anything that gives bytes when asked, and b"" at its end."""

    def read(self, size: int, /) -> bytes: ...


class Pinentry(StrEnum):
    """Who is asked where a secret key wants a passphrase or a card."""

    PERSON = "default"  # by the agent, in a window of its own
    NOBODY = "cancel"
    PIPE = "loopback"  # what stands in gpg's input


ANSWERS = (
    "--command-fd",
    "0",
)  # whatever gpg asks, it asks as a status line, and is answered by a line of its input
_PASSPHRASE = ("--passphrase-fd", "0")  # the first line of its input


def gpg_command(
    home: Path, *arguments: str, pinentry: Pinentry = Pinentry.NOBODY, clock: str | None = None
) -> list[str]:
    """The command line of a gpg. `clock`: what it takes for the time, as `midnight` gives it.

    It reads no settings of anybody's, asks nothing by itself and never looks at its web of trust. Status lines go to
    its stderr, among what it says in words; what it makes goes to its stdout.
    """
    return [
        *(
            "gpg",
            "--homedir",
            os.fspath(home),
            "--batch",
            "--no-options",
            "--no-tty",
            "--no-auto-check-trustdb",
        ),
        *("--status-fd", "2", "--pinentry-mode", pinentry),
        *(("--faked-system-time", clock) if clock else ()),
        *arguments,
    ]


def run_gpg(
    home: Path,
    *arguments: str,
    given: bytes = b"",
    passphrase: str | None = None,
    answers: str | None = None,
    clock: str | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run gpg to its end. Its input is `given`, after the passphrase as a line; or the `answers` to all that it asks.

    `passphrase`: empty for keys that have none. Without one, and without `answers`, what needs one fails.
    """
    if passphrase is not None:
        given = passphrase.encode() + b"\n" + given
    elif answers is not None:
        given = answers.encode()
    how = _PASSPHRASE if passphrase is not None else ANSWERS if answers is not None else ()
    command = gpg_command(
        home, *how, *arguments, pinentry=Pinentry.PIPE if how else Pinentry.NOBODY, clock=clock
    )
    return subprocess.run(command, input=given, capture_output=True, check=False, env=gpg_environment())


def start_gpg(
    command: list[str], descriptors: Sequence[int] = (), *, in_own_group: bool = False
) -> subprocess.Popen[bytes]:
    """Start gpg, which inherits these descriptors and no other but its three pipes, as large as the system lets them.

    `in_own_group`: whether it leads a process group of its own.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=gpg_environment(),
        pass_fds=descriptors,
        process_group=0 if in_own_group else None,
    )
    for pipe in filter(None, (process.stdin, process.stdout, process.stderr)):
        with suppress(OSError):  # the system's limit of large pipes is reached: a small one does too
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, CHUNK)
    return process


class Crypt(gnupg.Crypt):  # type: ignore[misc]  # python-gnupg carries no types
    """What gpg tells of one message: whether it was intact, and the key that opened it, hidden recipient or not."""

    opened_by = ""
    broken = False

    def handle_status(self, key: str, value: str) -> None:
        if key == "DECRYPTION_KEY":
            self.opened_by = value.split(maxsplit=1)[0]
            return
        self.broken = self.broken or key in ("DECRYPTION_FAILED", "BADMDC")
        super().handle_status(key, value)


class Gpg(gnupg.GPG):  # type: ignore[misc]  # python-gnupg carries no types
    """python-gnupg with our command line and pipes, descriptors of our choice, and one thing put right.

    Where gpg ends before its input does, it raises what the pipe says instead of giving gpg's own reason.
    """

    result_map = gnupg.GPG.result_map | {"crypt": Crypt}
    in_own_group = False
    pinentry = Pinentry.NOBODY

    def make_args(self, args: list[str], passphrase: bool, clock: str | None = None) -> list[str]:
        """The command line of one gpg; `passphrase`: it stands in its input. For `clock` see gpg_command."""
        pinentry = Pinentry.PIPE if passphrase else self.pinentry
        words = (*self.options, *(_PASSPHRASE if passphrase else ()), *args)
        return gpg_command(Path(self.gnupghome), *words, pinentry=pinentry, clock=clock)

    def start(
        self,
        args: list[str],
        passphrase: bool = False,
        descriptors: Sequence[int] = (),
        clock: str | None = None,
    ) -> Any:
        """Start a gpg. See make_args and start_gpg."""
        command = self.make_args(args, passphrase, clock)
        return start_gpg(command, descriptors, in_own_group=self.in_own_group)

    def read_status(self, stream: Any) -> Any:
        """What gpg says on its stderr, to its end, as the result of a message."""
        result = self.result_map["crypt"](self)
        with io.TextIOWrapper(stream, self.encoding) as lines:
            self._read_response(lines, result)
        return result

    def status_lines(self, stream: Any) -> Any:
        """Where status lines are read from; for a subclass that looks at each."""
        return stream

    def _read_response(self, stream: Any, result: Any) -> None:
        super()._read_response(self.status_lines(stream), result)

    def _open_subprocess(self, args: list[str], passphrase: bool = False) -> Any:
        return self.start(args, passphrase)

    def _handle_io(self, args: list[str], source: Any, result: Any, *rest: Any, **named: Any) -> Any:
        try:
            return super()._handle_io(args, source, result, *rest, **named)
        except BrokenPipeError:
            result.ok = False  # whatever gpg made of it: not all of the input arrived
            return result


AnyGpg = TypeVar("AnyGpg", bound=Gpg)


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


def tool(home: Path, options: list[str], kind: type[AnyGpg]) -> AnyGpg:
    """python-gnupg for a home, which is there, with these options for each gpg."""
    made = kind(gnupghome=os.fspath(home), options=options)
    made.buffer_size = CHUNK
    return made
