"""What a returning reporter finds: answers whose signatures hold, who reads and answers now, and what was sent.

Every visit asks for all tags in two queries, opens no fewer than OPENED_AT_LEAST items, and writes nothing.
"""

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import groupby
from typing import Any

from common import canonical, phrases
from common.canonical import NotCanonical
from common.conversation import header, mailbox, reply
from common.conversation.header import Deleted, Header
from common.conversation.links import new_link
from common.conversation.mailbox import MESSAGE_SLOTS
from common.days import today
from common.registry.registry import Registry, UnknownUnit
from common.registry.units import Unit, UnitKind
from common.report.padding import REPLY_CIPHERTEXT_BYTES
from common.report.routing import kept_from_units
from common.secret import Secret
from common.signing import BadSignature
from common.store.repository import Store
from common.store.values import KEEP_REPLIES, Sent, State
from source_interface.conversation import holding
from source_interface.conversation.holding import Holding, Item
from source_interface.conversation.keys import Keys

# A codename with no news has a header for each message. As many items are opened where there is nothing: they open
# with no codename, and no MAC of them holds. Each one beyond costs about 0.1 ms.
OPENED_AT_LEAST = 8
_AHEAD = timedelta(days=2)  # by which a desk's clock may go before ours
WAITING = (State.NEW, State.LISTED)  # of an envelope that can be withdrawn
_NOTHING = secrets.token_bytes(REPLY_CIPHERTEXT_BYTES)
_OF_NO_MAILBOX = header.compose_header(Header(new_link(), ("no-unit",)), Secret(secrets.token_bytes(32)))


@dataclass(frozen=True)
class Answer:
    """An answer as it is shown. `id` is its slot; `slots` are all that it lies in, should it have come twice."""

    id: str
    slots: tuple[int, ...]
    day: str
    holder: str
    text: str = field(repr=False)
    deleted: Deleted = field(repr=False)  # what is left in its place once it is deleted


@dataclass(frozen=True)
class Gap:
    """Answers of one unit that are missing among those that are here: how many."""

    holder: str
    missing: int


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
    """A conversation, as its codename opens it.

    `header`: the one with the highest sequence; None where there is none that is genuine. `recipients`: all that a
    message goes to, the second seal with them; empty where the reporter has to choose first.
    """

    keys: Keys = field(repr=False)
    holding: Holding = field(repr=False)
    answers: tuple[Answer, ...] = field(repr=False)
    gaps: tuple[Gap, ...]
    messages: tuple[Message, ...]
    header: Header | None = None
    recipients: tuple[Unit, ...] = ()
    despite: bool = False  # whoever was given it serves a force that the reporter wanted kept from it
    despite_involved: bool = False  # whoever was given it is a unit, where units are or might be involved
    without_copy: bool = False  # whoever was given it has a second seal that gets nothing of what is written

    @property
    def lost(self) -> bool:
        """Somebody was to have it, and nothing goes to anybody before the reporter has chosen."""
        return self.header is not None and not self.recipients

    @property
    def is_seen(self) -> bool:
        """Somebody has used it before, as anybody can see: it need not look like a codename that was never used.

        A message alone does not show that: whoever only tries a codename may have written it.
        """
        return bool(self.answers or self.holding.before or self.lost)

    def free_slot(self) -> int | None:
        """A random receipt slot for a message; None when all 128 are taken."""
        taken = {message.slot for message in self.messages}
        free = [slot for slot in range(MESSAGE_SLOTS) if slot not in taken]
        return secrets.choice(free) if free else None


def visit(store: Store, registry: Registry, keys: Keys) -> Visit:
    """Look into the conversation that these keys open."""
    found = store.mailbox(keys.receipt_tags, [*keys.reply_tags, *keys.header_tags])
    header_key = keys.secrets.header_key
    opened = _opened(keys.reply_key, found.replies, header_key)
    newest = _newest_header([opened[tag] for tag in keys.header_tags if tag in opened], header_key)
    lying = _loaded(opened.get(tag, b"") for tag in keys.reply_tags)
    deleted = dict(_deleted(lying, header_key))
    gone = {one.digest for one in deleted.values()}
    signed = _items(registry, keys.conversation.identity, lying, deleted)
    items = [item for item in signed if item.digest not in gone]
    held = holding.follow(registry, newest, items)
    kept_from = kept_from_units(registry, today(), [newest.kept_from if newest else ""])
    recipients, without_copy = _recipients(registry, newest, held, kept_from)
    return Visit(
        keys,
        held,
        _answers(registry, held),
        _gaps(registry, held, deleted.values()),
        tuple(_messages(keys.receipt_tags, found.sent)),
        header=newest,
        recipients=recipients,
        despite=bool(held.before and recipients and recipients[0].id in kept_from),
        despite_involved=bool(newest and newest.involved and held.before and _is_unit(recipients)),
        without_copy=without_copy,
    )


def _is_unit(recipients: Sequence[Unit]) -> bool:
    return bool(recipients) and recipients[0].kind is UnitKind.UNIT


def _recipients(
    registry: Registry, newest: Header | None, held: Holding, kept_from: frozenset[str]
) -> tuple[tuple[Unit, ...], bool]:
    """All that a message goes to, and whether a second seal is left out that whoever was given it would have.

    The second seal that the header names is the first holder's: it was chosen with it, so without the one there is
    nobody. Who was given it has their own, or none at present, and the page says which. Who gave it away, of whom the
    page says that nothing more goes to them, gets no copy either.
    """
    holder = holding.known(registry, held.holder) if held.holder else None
    if newest is None or holder is None:
        return (), False
    if not held.before:
        if newest.second is None:
            return (holder,), False
        second = _enrolled(registry, newest.second)
        return ((holder, second) if second else ()), False
    if holder.second_seal in (None, holder.id):
        return (holder,), False
    second = _enrolled(registry, holder.second_seal)
    if second is None or second.id in kept_from or second.id in held.before:
        return (holder,), True
    return (holder, second), False


def _enrolled(registry: Registry, unit_id: str | None) -> Unit | None:
    unit = holding.known(registry, unit_id) if unit_id else None
    return unit if unit is not None and unit.is_enrolled else None


def _opened(
    reply_key: mailbox.ReplyKey, sealed: Mapping[bytes, bytes], header_key: Secret
) -> dict[bytes, bytes]:
    """By tag, what opens. Where little lies there, as much work is done on nothing."""
    opened = {}
    for tag, ciphertext in sealed.items():
        with suppress(mailbox.NotForThisMailbox):
            opened[tag] = reply_key.open(ciphertext)
    for _ in range(OPENED_AT_LEAST - len(sealed)):
        with suppress(mailbox.NotForThisMailbox):
            reply_key.open(_NOTHING)
        with suppress(BadSignature):
            header.read_header(_OF_NO_MAILBOX, header_key)
    return opened


def _newest_header(untrusted_headers: Sequence[bytes], header_key: Secret) -> Header | None:
    """The header with the highest sequence. Of two that were written at once, each visit takes the same."""
    headers = []
    for untrusted in untrusted_headers:
        with suppress(NotCanonical, BadSignature):
            headers.append(header.read_header(untrusted, header_key))
    return max(headers, key=lambda one: (one.sequence, one.first_link, one.holders), default=None)


def _loaded(untrusted_items: Iterable[bytes]) -> dict[int, dict[str, Any]]:
    """By slot, what can be read of its form. Each is read once, whoever may have signed it."""
    loaded = {}
    for slot, untrusted in enumerate(untrusted_items):
        with suppress(NotCanonical):
            loaded[slot] = canonical.load(untrusted)
    return loaded


def _deleted(lying: Mapping[int, dict[str, Any]], header_key: Secret) -> Iterator[tuple[int, Deleted]]:
    """By slot, what the reporter has deleted."""
    for slot, untrusted in lying.items():
        with suppress(NotCanonical, BadSignature):
            yield slot, header.read_deleted(untrusted, header_key)


def _items(
    registry: Registry,
    conversation: str,
    lying: Mapping[int, dict[str, Any]],
    deleted: Mapping[int, Deleted],
) -> Iterator[Item]:
    """What units signed for this conversation. Each slot is opened and verified once."""
    for slot, untrusted in lying.items():
        if slot in deleted:
            continue
        try:
            unit = registry.unit(reply.claimed_unit(untrusted))
        except (NotCanonical, UnknownUnit):
            continue
        item = _signed_by(unit, untrusted, conversation, slot)
        if item is not None:
            yield item


def _signed_by(unit: Unit, untrusted: dict[str, Any], conversation: str, slot: int) -> Item | None:
    """What one of the unit's keys signed. An answer counts by the key of today alone: a former one may be stolen.

    One of a day that is more than a year past, or to come, is none: what marks a deleted answer lies there for a year.
    """
    for key in (unit.reply_key, *unit.former_reply_keys):
        try:
            said = reply.read_document(untrusted, conversation, key)
        except BadSignature:
            continue
        except NotCanonical:
            return None
        if isinstance(said, reply.Reply):
            counts = key == unit.reply_key and -_AHEAD <= today() - said.day <= KEEP_REPLIES
            return Item(slot, said, reply.digest(said, conversation)) if counts else None
        return Item(slot, said, reply.mark(said, conversation), by_former_key=key != unit.reply_key)
    return None


def _answers(registry: Registry, held: Holding) -> tuple[Answer, ...]:
    """The answers that may be shown, newest first; what is there twice is shown once."""
    genuine: dict[str, tuple[reply.Reply, list[int]]] = {}
    for item in held.shown:
        if isinstance(item.said, reply.Reply):
            genuine.setdefault(item.digest, (item.said, []))[1].append(item.slot)
    newest_first = sorted(
        genuine.items(), key=lambda found: (found[1][0].day, found[1][0].number, found[0]), reverse=True
    )
    return tuple(
        Answer(
            *(str(at[0]), tuple(at), phrases.day(read.day), registry.unit(read.unit).name, read.text),
            Deleted(read.unit, read.number, digest),
        )
        for digest, (read, at) in newest_first
    )


def _gaps(registry: Registry, held: Holding, deleted: Iterable[Deleted]) -> tuple[Gap, ...]:
    """Of each unit whose answers are shown, how many before its last one are not here, nor deleted by the reporter."""
    numbers = [
        (item.said.unit, item.said.number) for item in held.shown if isinstance(item.said, reply.Reply)
    ]
    units = {unit for unit, _ in numbers}
    numbers += [(one.unit, one.number) for one in deleted if one.unit in units]
    gaps = []
    for unit, of_unit in groupby(sorted(set(numbers)), key=lambda one: one[0]):
        there = {number for _, number in of_unit}
        if missing := max(there) - len(there):
            gaps.append(Gap(registry.unit(unit).name, missing))
    return tuple(gaps)


def _messages(receipt_tags: Sequence[bytes], sent: Mapping[bytes, Sent]) -> Iterator[Message]:
    for slot, tag in enumerate(receipt_tags[:MESSAGE_SLOTS]):
        first, second = sent.get(tag), sent.get(receipt_tags[mailbox.second_slot(slot)])
        copy = first or second
        if copy is not None:
            yield Message(slot, phrases.day(copy.day), first, second)
