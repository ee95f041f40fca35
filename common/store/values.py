"""What the store takes and gives, and for how long it keeps answers."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum

KEEP_REPLIES = timedelta(days=365)
KEEP_RETURNED = timedelta(days=30)


class AlreadyReceived(Exception):
    """A message with this receipt tag has arrived before: this one is the same form, sent again."""


class NoFreeSlot(Exception):
    """None of the candidate slots is free. Seal the answer again with other candidates."""


class State(StrEnum):
    """How far an envelope is on its way."""

    NEW = "new"  # it arrived after the last settlement: no unit sees it
    LISTED = "listed"
    WITHDRAWN = "withdrawn"  # listed, and gone with the next settlement
    HELD = "held"  # its unit's desk has said that it holds it


class Withdrawal(StrEnum):
    """What became of a message that its reporter withdrew."""

    GONE = "gone"  # no unit ever saw that it was there
    LATER = "later"  # it is deleted at the next settlement; until then its unit may collect it


class Why(StrEnum):
    """Why a post was not taken."""

    NO_PLACE = "no-place"
    REFUSED = "refused"


@dataclass(frozen=True)
class Envelope:
    """A sealed report, as its unit's courier sees it."""

    id: str
    day: date
    size: int


@dataclass(frozen=True)
class Returned:
    """A post, or an envelope that was to be passed on, that was not taken. `post`: 32 hex digits."""

    post: str
    why: str


@dataclass(frozen=True)
class SealedReply:
    """A ciphertext of 9,328 bytes and the tag (16 bytes) of the slot it goes into."""

    tag: bytes = field(repr=False)
    ciphertext: bytes = field(repr=False)


@dataclass(frozen=True)
class Addressed:
    """An envelope to be: the tag (16 bytes) by which its reporter finds it, and the unit that it is sealed to."""

    receipt_tag: bytes = field(repr=False)
    unit: str


@dataclass(frozen=True)
class Sent:
    """A message that its reporter sent: the day on which it arrived, and how far it is."""

    day: date
    state: State


@dataclass(frozen=True)
class Mailbox:
    """What lies under a codename's tags: by receipt tag what was sent, by reply tag the ciphertext."""

    sent: dict[bytes, Sent] = field(repr=False)
    replies: dict[bytes, bytes] = field(repr=False)
