"""What a returning reporter finds: answers whose signatures hold, who reads and answers now, and what was sent.

Every visit asks for all tags in two queries, opens no fewer than OPENED_AT_LEAST items, and writes nothing.
"""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from common import phrases
from common.conversation import mailbox
from common.conversation.mailbox import MESSAGE_SLOTS
from common.registry.registry import Registry
from common.store.repository import Store
from common.store.values import Sent, State
from source_interface.conversation import holding
from source_interface.conversation.answers import Answer, Gap, count_gaps, list_answers
from source_interface.conversation.contents import open_contents
from source_interface.conversation.holding import Holding
from source_interface.conversation.keys import Keys

WAITING = (State.NEW, State.LISTED)  # of an envelope that can be withdrawn


@dataclass(frozen=True)
class Message:
    """Something the reporter sent: never shown again, only that it is there.

    What became of each copy that there is: the holder's, and that of the second seal.
    """

    slot: int
    day: str
    first: Sent | None
    second: Sent | None

    @property
    def can_be_withdrawn(self) -> bool:
        """No unit has said of some copy that it holds it, and it is not withdrawn already."""
        return any(copy is not None and copy.state in WAITING for copy in (self.first, self.second))


@dataclass(frozen=True)
class Visit:
    """A conversation, as its codename opens it."""

    keys: Keys = field(repr=False)
    holding: Holding = field(repr=False)
    answers: tuple[Answer, ...] = field(repr=False)
    gaps: tuple[Gap, ...]
    messages: tuple[Message, ...]

    def free_slot(self) -> int | None:
        """A random receipt slot for a message; None when all 128 are taken."""
        taken = {message.slot for message in self.messages}
        free = [slot for slot in range(MESSAGE_SLOTS) if slot not in taken]
        return secrets.choice(free) if free else None


def visit(store: Store, registry: Registry, keys: Keys) -> Visit:
    """Look into the conversation that these keys open."""
    found = store.mailbox(keys.receipt_tags, [*keys.reply_tags, *keys.header_tags])
    contents = open_contents(registry, keys, found.replies)
    held = holding.follow(registry, contents.header, contents.items)
    answers, gaps = list_answers(registry, held), count_gaps(registry, held, contents.deleted)
    return Visit(keys, held, answers, gaps, tuple(_messages(keys.receipt_tags, found.sent)))


def _messages(receipt_tags: Sequence[bytes], sent: Mapping[bytes, Sent]) -> Iterator[Message]:
    for slot, tag in enumerate(receipt_tags[:MESSAGE_SLOTS]):
        first, second = sent.get(tag), sent.get(receipt_tags[mailbox.second_slot(slot)])
        copy = first or second
        if copy is not None:
            yield Message(slot, phrases.day(copy.day), first, second)
