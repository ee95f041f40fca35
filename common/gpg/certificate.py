"""A look at an OpenPGP certificate with gpg, in an empty home: whose it is, and until when it can be sealed to."""

import tempfile
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from common.days import today
from common.gpg.runner import run_gpg

_EXPIRED, _REVOKED = "e", "r"
_LAST_LINE = "-----END PGP PUBLIC KEY BLOCK-----"


class UnfitCertificate(Exception):
    """This is not one OpenPGP certificate. Get it again from its owner."""


@dataclass(frozen=True)
class Certificate:
    """What gpg says of one: 40 hex digits; whether it can be sealed to, from when on, and the last day, if any."""

    fingerprint: str
    is_open: bool
    since: int  # seconds since 1970: when the first of its keys that can be sealed to was made
    last_day: date | None


def look(armoured: str) -> Certificate:
    """What a certificate is. Raises UnfitCertificate where there is none, more than one, or not the whole of one."""
    if not armoured.rstrip().endswith(_LAST_LINE):
        raise UnfitCertificate  # gpg would take one that is cut short, and show the months that are left
    with tempfile.TemporaryDirectory() as home:
        shown = run_gpg(
            Path(home),
            *("--no-autostart", "--with-colons", "--show-keys"),
            given=armoured.encode(),
            clock=_end_of(today()),  # what is made today is not of the future
        )
    rows = [line.split(":") for line in shown.stdout.decode(errors="replace").splitlines()]
    primaries = [row for row in rows if row[0] == "pub"]
    fingerprints = [row[9] for row in rows if row[0] == "fpr"]
    if len(primaries) != 1 or not fingerprints:
        raise UnfitCertificate
    usable = [
        row
        for row in rows
        if row[0] in ("pub", "sub") and "e" in row[11] and row[1] not in (_EXPIRED, _REVOKED)
    ]
    is_open = bool(usable) and primaries[0][1] not in (_EXPIRED, _REVOKED)
    since = max(int(primaries[0][5]), min((int(row[5]) for row in usable), default=0))
    return Certificate(fingerprints[0], is_open, since, _last_day(primaries[0], usable) if is_open else None)


def _end_of(day: date) -> str:
    return day.strftime("%Y%m%dT235959!")


def _last_day(primary: list[str], usable: list[list[str]]) -> date | None:
    """The day before the primary key ends, or the last of the keys to encrypt to; an empty field is no end."""
    last_subkey = None if any(not row[6] for row in usable) else max(int(row[6]) for row in usable)
    ends = [end for end in (int(primary[6]) if primary[6] else None, last_subkey) if end is not None]
    return datetime.fromtimestamp(min(ends) - 1, UTC).date() if ends else None
