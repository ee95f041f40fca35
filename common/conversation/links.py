"""A conversation: the two keys that make it, and the links by which it goes from one holder to the next.

The identity binds both keys, so that nobody who was given a conversation can pass it on under another mailbox. A link
names a point in its history: the first is drawn at random, and each later one follows from the one before, from who
gave the conversation away and from who got it. So what a holder signs says at which point it held the conversation.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from common.contexts import Context
from common.secret import Secret

MOST_HANDOVERS = 16  # of one conversation: as many as its trail has steps
LINK_DIGITS = 64


@dataclass(frozen=True)
class Conversation:
    """What a unit needs to recognise a conversation and to answer in it."""

    mailbox_key: Secret = field(repr=False)  # 32 bytes
    reply_public_key: bytes = field(repr=False)  # 1,216 bytes

    @property
    def identity(self) -> str:
        """The same for all messages of one conversation, known to its units alone: 32 hex digits."""
        keys = self.mailbox_key.reveal() + self.reply_public_key
        return hashlib.sha256(Context.CONVERSATION.line + keys).hexdigest()[:32]


def new_link() -> str:
    """The link of a first holder: 64 hex digits that follow from nothing."""
    return secrets.token_hex(LINK_DIGITS // 2)


def next_link(link: str, by: str, to: str) -> str:
    """The link of `to`, the id of a unit, once `by` gave it what it held at `link`."""
    return hashlib.sha256(f"{Context.LINK}\n{link}\n{by}\n{to}".encode()).hexdigest()


def links(first: str, holders: Sequence[str]) -> tuple[str, ...]:
    """The link of each holder, where the first one held it at `first`."""
    found = [first]
    for by, to in pairwise(holders):
        found.append(next_link(found[-1], by, to))
    return tuple(found)
