"""Settled hours: the only hours, by UTC, at which anything passes between the store and a unit.

A unit that asks again and again so learns of an arrival or a withdrawal no more than the hour at which all of them
together were listed. How many hours lie between two is said by the registry.
"""

import re
from datetime import UTC, datetime

EVERY_HOURS = (1, 2, 3, 4, 6, 8, 12, 24)  # what divides a day
DEFAULT_EVERY_HOURS = 6
_HOUR = re.compile(r"\d{4}-[01]\d-[0-3]\dT[0-2]\d")


def is_hour(untrusted: str) -> bool:
    """True for an hour as it is written here: 2026-11-28T18."""
    return _HOUR.fullmatch(untrusted) is not None


def this_hour(now: datetime | None = None) -> str:
    """The hour that has begun, by UTC: 2026-11-28T18."""
    return f"{(now or datetime.now(UTC)).astimezone(UTC):%Y-%m-%dT%H}"


def last_settled_hour(every_hours: int, now: datetime | None = None) -> str:
    """The last hour, counted from midnight UTC, at which all is to be settled. `every_hours`: one of EVERY_HOURS."""
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    return this_hour(moment.replace(hour=moment.hour - moment.hour % every_hours))


def is_due(settled: str | None, every_hours: int, now: datetime | None = None) -> bool:
    """Whether the last settled hour is still to be settled. `settled`: the hour at which it was done last, if ever.

    An hour that is still to come was written by a clock that was wrong, and counts for nothing.
    """
    return settled is None or not last_settled_hour(every_hours, now) <= settled <= this_hour(now)
