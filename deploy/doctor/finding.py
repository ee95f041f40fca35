"""What a check of `candour doctor` found, and how a check is made that must not stop the others."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    GOOD = "good"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True)
class Finding:
    """What a check found; `remedy` is empty when it is good."""

    state: State
    text: str
    remedy: str = ""


def carefully(what: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """The findings of `check`; should it fail, that is a finding on `what` too."""
    try:
        yield from check()
    except Exception as error:  # noqa: BLE001  a doctor that falls over helps nobody
        yield Finding(
            State.WRONG, f"{what} could not be examined: {type(error).__name__}: {error}", "Mend that first."
        )
