"""Settled hours: by UTC, from midnight on, and due once."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from common.transport.settled_hours import EVERY_HOURS, is_due, is_hour, last_settled_hour, this_hour

AT = datetime(2026, 11, 28, 20, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("every", "last"),
    [(1, "20"), (2, "20"), (3, "18"), (4, "20"), (6, "18"), (8, "16"), (12, "12"), (24, "00")],
)
def test_the_last_settled_hour_is_counted_from_midnight_by_utc(every, last):
    assert every in EVERY_HOURS
    assert last_settled_hour(every, AT) == f"2026-11-28T{last}"
    elsewhere = AT.astimezone(timezone(timedelta(hours=9)))
    assert last_settled_hour(every, elsewhere) == f"2026-11-28T{last}"


def test_it_is_due_until_it_is_settled_and_not_again_before_the_next():
    assert is_due(None, 6, AT)
    assert is_due("2026-11-28T12", 6, AT)
    assert not is_due("2026-11-28T18", 6, AT)
    assert not is_due("2026-11-28T20", 6, AT)  # settled in between, by hand
    assert is_due("2026-11-28T20", 6, AT + timedelta(hours=4))


def test_an_hour_to_come_of_a_clock_that_was_wrong_does_not_stop_it():
    assert is_due("2027-11-28T18", 6, AT)


def test_an_hour_is_known_by_its_form():
    assert is_hour(this_hour())
    for other in ("", "2026-11-28", "2026-11-28T18:00", "2026-11-28 18", "2026-11-28T18\n"):
        assert not is_hour(other)
