"""Numbers, sizes and days as people read them."""

from collections.abc import Sequence
from datetime import date


def count(number: int, noun: str) -> str:
    """Such as `1 message`, `1,204 messages`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def listed(words: Sequence[str], last: str = "and") -> str:
    """Such as `one`, `one and two`, `one, two and three`."""
    return f"{', '.join(words[:-1])} {last} {words[-1]}" if len(words) > 1 else "".join(words)


def day(value: date) -> str:
    """Such as `4 November 2026`."""
    return f"{value.day} {value:%B %Y}"


def size(number: int) -> str:
    """Such as `812 bytes`, `3.4 MB`."""
    if number < 1000:
        return count(number, "byte")
    amount = float(number)
    for unit in ("kB", "MB", "GB"):
        amount /= 1000
        if amount < 999.5 or unit == "GB":
            break
    return f"{amount:.1f} {unit}" if amount < 10 else f"{amount:.0f} {unit}"


def grouped(digits: str) -> str:
    """A fingerprint in groups of four, to be read aloud."""
    return " ".join(digits[start : start + 4] for start in range(0, len(digits), 4))
