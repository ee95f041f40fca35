"""GnuPG as Candour runs it: python-gnupg put right, with an environment, a home and a clock of our choice.

Status lines are parsed by python-gnupg; what gpg says in words is never shown or logged. Nothing secret passes through
a file, an argument or the environment: it goes down a pipe.
"""

import fcntl
import logging
import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any, Protocol, TypeVar

import gnupg

logging.getLogger("gnupg").setLevel(logging.CRITICAL)  # it logs tracebacks of whatever a stream raises

CHUNK = 1024 * 1024


class Readable(Protocol):
    """Anything that gives bytes when asked, and b"" at its end."""

    def read(self, size: int, /) -> bytes: ...


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
    """python-gnupg with larger pipes, descriptors of our choice, and one thing put right.

    Where gpg ends before its input does, it raises what the pipe says instead of giving gpg's own reason.
    """

    result_map = gnupg.GPG.result_map | {"crypt": Crypt}
    in_own_group = False  # whether gpg leads a process group of its own

    def start(self, args: list[str], passphrase: bool = False, descriptors: Sequence[int] = ()) -> Any:
        """Start gpg, which inherits these descriptors and no other but its three pipes."""
        self.process = process = subprocess.Popen(
            self.make_args(args, passphrase),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.env,
            pass_fds=descriptors,
            process_group=0 if self.in_own_group else None,
        )
        for pipe in filter(None, (process.stdin, process.stdout, process.stderr)):
            with suppress(OSError):  # the system's limit of large pipes is reached: a small one does too
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, CHUNK)
        return process

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
    """gpg in a home, with these options."""
    made = kind(gnupghome=os.fspath(home), env=gpg_environment(), options=options)
    made.buffer_size = CHUNK
    return made
