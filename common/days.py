"""The only clock that reports know: days, by UTC. Nothing about a reporter is ever finer."""

import os
from contextlib import suppress
from datetime import UTC, date, datetime, time
from pathlib import Path


def today() -> date:
    """The day by UTC."""
    return datetime.now(UTC).date()


def midnight_of(day: date) -> float:
    """Seconds since 1970 at the day's beginning, UTC: the only file time there is."""
    return datetime.combine(day, time.min, UTC).timestamp()


def blur_times(path: Path, day: date) -> None:
    """Set a file's or folder's times to midnight of the day, if it is there."""
    with suppress(FileNotFoundError):
        os.utime(path, (midnight_of(day), midnight_of(day)))
