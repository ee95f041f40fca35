"""Epochs: a certificate has an encryption subkey for each month, made ahead, so that old ones can be destroyed.

gpg seals to the newest subkey that is valid by the sealer's own clock. So each begins with its month: what is sealed
in a month goes to that month's key, and a clock that is wrong takes a neighbour's, whose secret the unit has as well.
Each ends `OVERLAP` after its month, and a certificate's first begins as long before. Then a clock that is behind finds
a new certificate valid, and one whose last month is over still serves while its successor is on its way. Opening
does not look at validity, so that a courier may come late. All begin and end at midnight, UTC: nothing tells an hour.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from common.gpg.keyring import Key, Where

OVERLAP = timedelta(days=7)


@dataclass(frozen=True)
class Span:
    """An epoch to be made: the first day of its month; the first day on which it is valid, and the first after."""

    month: date
    begins: date
    ends: date


@dataclass(frozen=True)
class Epoch:
    """An epoch that was made."""

    key: Key
    month: date

    @property
    def name(self) -> str:
        """As people say it, such as `November 2026`."""
        return f"{self.month:%B %Y}"

    @property
    def fingerprint(self) -> str:
        """Of its subkey."""
        return self.key.fingerprint

    @property
    def is_gone(self) -> bool:
        """True when its secret is not in this home."""
        return self.key.where is Where.GONE

    def is_over(self, day: date) -> bool:
        """True when nobody seals to it any more. At the midnight of its end gpg still does."""
        return self.key.ends is not None and self.key.ends < day


def month_of(day: date) -> date:
    """The first day of a day's month."""
    return day.replace(day=1)


def month_after(month: date, count: int = 1) -> date:
    """The first day of a later month."""
    years, number = divmod(month.month - 1 + count, 12)
    return date(month.year + years, number + 1, 1)


def ahead(first: date, months: int, *, is_new: bool) -> list[Span]:
    """The epochs of `months` months. `is_new`: the certificate has none yet, so that the first begins earlier."""
    spans = []
    for number in range(months):
        month = month_after(first, number)
        begins = month - OVERLAP if is_new and number == 0 else month
        spans.append(Span(month, begins, month_after(month) + OVERLAP))
    return spans


def epochs_of(keys: Sequence[Key]) -> list[Epoch]:
    """The epochs among a certificate's keys, in the order of their months."""
    found = [
        Epoch(key, month_of(key.ends - OVERLAP - timedelta(days=1)))
        for key in keys
        if key.encrypts and not key.is_primary and key.ends is not None
    ]
    return sorted(found, key=lambda epoch: (epoch.month, epoch.key.begins))
