"""What the desk is to be told of its posts, with the next bundle: delivered, or not taken and why.

Each is told once; what was told is remembered, so that all of it can be said again when a stick was lost. A post is of
no use after 60 days, and is forgotten then. What is here is ids, words of three kinds, and days.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from common.days import today
from common.durable import append, write_whole
from common.envelope_id import is_envelope_id
from common.transport.bundle import Returned, Why

DELIVERED = "delivered"
_REMEMBERED = timedelta(days=60)
_WORDS: dict[str, Why | None] = {DELIVERED: None, "no-place": "no-place", "refused": "refused"}


@dataclass(frozen=True)
class Said:
    """One thing of a post. `why`: why it was not taken; None: it was delivered."""

    post: str
    why: Why | None

    @property
    def word(self) -> str:
        """As it stands in a file."""
        return self.why or DELIVERED


class Telling:
    """Two files: `untold` grows by a line for each thing, `told` is written anew."""

    def __init__(self, folder: Path) -> None:
        self._untold = folder / "untold"
        self._told = folder / "told"

    def note(self, said: Said) -> None:
        """Remember something to be told. Durable when this returns."""
        line = "\n" + _line(said, today())  # one that a power cut left half spoils no other
        append(self._untold, line.encode("ascii"))

    def to_tell(self, returned: Iterable[Returned], *, again: bool) -> tuple[Said, ...]:
        """What was not told yet, with what the collection says is `returned`; `again`: also what was told."""
        told, came_back = _read(self._told), [Said(one.post, one.why) for one in returned]
        fresh = [*_read(self._untold), *(one for one in came_back if one not in told)]
        return tuple(dict.fromkeys([*(told if again else ()), *fresh]))

    def note_told(self, said: Sequence[Said]) -> None:
        """These are on a stick, in a bundle that is whole."""
        kept = _read(self._told) | dict.fromkeys(said, today())
        oldest = today() - _REMEMBERED
        lines = "".join(_line(one, day) for one, day in kept.items() if day >= oldest)
        write_whole(self._told, lines.encode("ascii"))
        self._untold.unlink(missing_ok=True)


def _line(said: Said, day: date) -> str:
    return f"{said.post} {said.word} {day.isoformat()}\n"


def _read(file: Path) -> dict[Said, date]:
    """What a file says, and since when. A line that a power cut left half is passed over."""
    found = {}
    text = file.read_text("ascii", errors="replace") if file.exists() else ""
    for line in text.split("\n"):
        post, _, rest = line.partition(" ")
        word, _, day = rest.partition(" ")
        if is_envelope_id(post) and word in _WORDS:
            try:
                found[Said(post, _WORDS[word])] = date.fromisoformat(day)
            except ValueError:
                continue
    return found
