"""Opening what was sealed, with a key that a gpg-agent holds, as a stream."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from common.gpg.opening import watchdog
from common.gpg.opening.content import Inside
from common.gpg.opening.failure import OpeningFailed, Unopened
from common.gpg.opening.seal import Outside
from common.gpg.opening.watchdog import Waited, Watch, WatchedGpg
from common.gpg.runner import Pinentry, Readable, tool
from common.secret import Secret

_OPEN = ["--unwrap", "--no-armor", "--no-auto-key-retrieve"]


class Opener:
    """Opens what was sealed, with the keys that the gpg-agent of `home` holds: in a file or on a card."""

    def __init__(self, home: Path) -> None:
        self._gpg = tool(home, [], WatchedGpg)

    def open(
        self,
        sealed: Path | Readable,
        take: Callable[[bytes], None],
        most: int = 64 * 1024**3,
        *,
        ask: bool = False,
        passphrase: Secret | None = None,
    ) -> str:
        """Hand the content to `take`, piece by piece. The fingerprint of the key that opened it: 40 hex digits.

        `sealed`: one message, not armoured. `ask`: whether a person may be asked for the passphrase or the card of a
        key of this home; for nothing else in any case. `passphrase`: the key's, given down the pipe; then nobody is
        asked.

        The pieces count only once this returns: gpg knows at the end alone whether the whole was intact. More
        than `most` bytes is refused, and so is what gpg comes to no end with. Raises OpeningFailed, or whatever `take`
        or the reading of `sealed` raises.
        """
        inside, failure = Inside(most), list[Exception]()
        asks = ask and passphrase is None
        watching = Watch(watchdog.PATIENCE_WITH_A_PERSON if asks else watchdog.PATIENCE)

        def on_data(piece: bytes) -> bool:
            if failure:
                return False
            watching.note_handed_out(len(piece))
            try:
                with watching.elsewhere():
                    for content in inside.feed(piece):
                        take(content)
            except Exception as error:  # noqa: BLE001  handed on below: python-gnupg's thread must drain the pipe
                failure.append(error)
                watching.stop()
            return False  # python-gnupg is not to collect the pieces

        gpg = copy.copy(self._gpg)  # its callback, its process and its watch belong to one opening
        gpg.on_data, gpg.watch = on_data, watching
        gpg.pinentry = Pinentry.PERSON if asks else Pinentry.NOBODY
        with _source(sealed) as source, watching:
            result = gpg.decrypt_file(
                Waited(Outside(source), watching),
                passphrase=passphrase.reveal().decode("ascii") if passphrase else None,
                extra_args=_OPEN,
            )
        if failure:
            raise failure[0]
        if watching.stopped_it:
            raise OpeningFailed(Unopened.STUCK)
        # gpg's exit code tells nothing here: it counts every key that was tried before the right one as an error.
        if not result.ok or result.broken or not result.opened_by or result.returncode not in (0, 2):
            raise OpeningFailed(_why(result.status))
        inside.close()
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
