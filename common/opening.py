"""Opening what was sealed, with a key that a gpg-agent holds, as a stream."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from common.gpg import Readable, tool
from common.secret import Secret

_ASK_NOBODY = ["--pinentry-mode", "cancel"]
_OPEN = ["--no-options", "--no-auto-key-retrieve"]


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


class Opener:
    """Opens what was sealed, with the keys that the gpg-agent of `home` holds: in a file or on a card."""

    def __init__(self, home: Path) -> None:
        self._gpg = tool(home, [])

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
