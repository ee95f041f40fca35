"""What the store takes and gives, and for how long it keeps answers."""

from dataclasses import dataclass, field
from datetime import date, timedelta

from common.store.blobs import PendingBlob

KEEP_REPLIES = timedelta(days=365)


class AlreadyReceived(Exception):
    """A message with this receipt tag has arrived before: this one is the same form, sent again."""


class NoFreeSlot(Exception):
    """None of the candidate slots is free. Seal the answer again with other candidates."""


@dataclass(frozen=True)
class Envelope:
    """A sealed report, as its unit's courier sees it."""

    id: str
    day: date
    size: int


@dataclass(frozen=True)
class SealedReply:
    """A ciphertext of 9,328 bytes and the tag (16 bytes) of the slot it goes into, or candidates for it."""

    tag: bytes = field(repr=False)
    ciphertext: bytes = field(repr=False)


@dataclass(frozen=True)
class Copy:
    """A message that is sealed anew to one more: an envelope like any, with a tag and an owner of its own."""

    blob: PendingBlob
    receipt_tag: bytes = field(repr=False)
    unit: str


@dataclass(frozen=True)
class Mailbox:
    """What lies under a codename's tags: by receipt tag (day, collected), by reply tag the ciphertext.

    `posted`: by reply tag the day it was put there. Only this server knows it, and nobody can change it.
    """

    sent: dict[bytes, tuple[date, bool]] = field(repr=False)
    replies: dict[bytes, bytes] = field(repr=False)
    posted: dict[bytes, date] = field(repr=False)
