"""The only clock that reports know: days, by UTC. Nothing about a reporter is ever finer."""

from datetime import UTC, date, datetime, time


def today() -> date:
    """The day by UTC."""
    return datetime.now(UTC).date()


def midnight_of(day: date) -> float:
    """Seconds since 1970 at the day's beginning, UTC: the only file time there is."""
    return datetime.combine(day, time.min, UTC).timestamp()
