"""Where a page of a list begins, as part of an address: days and random names, checked when they come back."""

import re
from datetime import date

from journalist_interface.desk.rows.conversations import Place
from journalist_interface.desk.services import NotHere

_AFTER_DAY = re.compile(r"(\d{4}-\d{2}-\d{2})\.([0-9a-f]{32})")
_PLACE = re.compile(r"(\d{4}-\d{2}-\d{2})\.(\d{1,12})\.([012])\.([0-9a-f]{32})")


def of_day(day: date, identity: str) -> str:
    """The cursor behind a row of a list."""
    return f"{day.isoformat()}.{identity}"


def read_day(untrusted: str | None) -> tuple[date, str] | None:
    """A list's cursor; None for none. Raises NotHere for what is none of ours."""
    if untrusted is None:
        return None
    match = _AFTER_DAY.fullmatch(untrusted)
    if match is None:
        raise NotHere("not a cursor")
    return _day(match.group(1)), match.group(2)


def of_place(place: Place) -> str:
    """The cursor before a message or an answer."""
    return f"{place.day.isoformat()}.{place.turn}.{place.kind}.{place.id}"


def read_place(untrusted: str | None) -> Place | None:
    """A conversation's cursor; None for none. Raises NotHere for what is none of ours."""
    if untrusted is None:
        return None
    match = _PLACE.fullmatch(untrusted)
    if match is None:
        raise NotHere("not a cursor")
    return Place(_day(match.group(1)), int(match.group(2)), int(match.group(3)), match.group(4))


def _day(untrusted: str) -> date:
    try:
        return date.fromisoformat(untrusted)
    except ValueError as error:
        raise NotHere("not a day") from error
