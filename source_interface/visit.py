"""What a returning reporter finds: answers whose signatures hold, who reads and answers now, and what was sent.

Every visit asks for all 512 tags in two queries, and writes nothing.
"""

import secrets
from dataclasses import dataclass, field, replace
from datetime import date

from common import mailbox, phrases, reply
from common.canonical import NotCanonical
from common.days import today
from common.derivation import ConversationSecrets, conversation_secrets
from common.padding import REPLY_CIPHERTEXT_BYTES
from common.registry import Registry, UnknownUnit
from common.routing import kept_from_units
from common.secret import Secret
from common.signing import BadSignature
from common.store.kept import Mailbox, Sent, State
from common.store.repository import Store
from common.units import Unit, UnitKind
from source_interface import holding
from source_interface.holding import Held, Item

# What is opened and read where there is nothing: it opens with no codename, and no MAC of it holds.
_NO_HEADER = secrets.token_bytes(REPLY_CIPHERTEXT_BYTES)
_OF_NO_MAILBOX = reply.compose_header(reply.Header("no-unit", date.min), Secret(secrets.token_bytes(32)))


@dataclass(frozen=True)
class Answer:
    """An answer as it is shown. `id` is its slot; `slots` are all that it lies in, should it have come twice."""

    id: str
    slots: tuple[int, ...]
    day: str
    holder: str
    text: str = field(repr=False)


@dataclass(frozen=True)
class Message:
    """Something the reporter sent: never shown again, only that it is there.

    `collected` of each copy that there is: the holder's, and that of the second seal.
    """

    slot: int
    day: str
    first: bool | None
    second: bool | None

    @property
    def collected(self) -> bool:
        """No copy of it can be withdrawn."""
        return False not in (self.first, self.second)


@dataclass(frozen=True)
class Visit:
    """A conversation, as its codename opens it.

    `header`: what the next message would have to leave there, by what lies there now; None where there is none that is
    genuine. `stands_since`: the day of one that says all of that already. `recipients`: all that a message goes to, the
    second seal with them; empty where somebody is missing: then it goes to nobody before the reporter has chosen.
    """

    secrets: ConversationSecrets = field(repr=False)
    reply_key: mailbox.ReplyKey = field(repr=False)
    answers: tuple[Answer, ...] = field(repr=False)
    messages: tuple[Message, ...]
    header: reply.Header | None = None
    stands_since: date | None = None
    held: Held | None = None
    recipients: tuple[Unit, ...] = ()
    despite: bool = False  # whoever was given it serves a force that the reporter wanted kept from it
    despite_involved: bool = False  # whoever was given it is a unit, where units are or might be involved
    without_copy: bool = False  # whoever was given it has a second seal that gets nothing of what is written
    overridden: frozenset[str] = frozenset()  # the marks of all handovers that a choice would be made against

    @property
    def lost(self) -> bool:
        """Somebody is missing who had it: nothing goes to anybody before the reporter has chosen."""
        return self.header is not None and not self.recipients

    @property
    def kept_from(self) -> str:
        """The force that must not see it, as it was said last."""
        return self.header.kept_from if self.header else ""

    @property
    def handed_over(self) -> bool:
        """It was passed on."""
        return self.held is not None and bool(self.held.before)

    @property
    def is_seen(self) -> bool:
        """Somebody has used it before, as anybody can see: it need not look like a codename that was never used.

        A message alone does not show that: whoever only tries a codename may have written it.
        """
        return bool(self.answers or self.handed_over or self.lost)

    def free_slot(self) -> int | None:
        """A random receipt slot for a message; None when all 128 are taken."""
        taken = {message.slot for message in self.messages}
        free = [slot for slot in range(mailbox.MESSAGE_SLOTS) if slot not in taken]
        return secrets.choice(free) if free else None


def visit(store: Store, registry: Registry, root: Secret) -> Visit:
    """Look into the conversation of a root."""
    keys = conversation_secrets(root)
    receipt_tags = mailbox.tags(keys.receipt_key)
    reply_tags = mailbox.tags(keys.mailbox_key)
    found = store.mailbox(receipt_tags, reply_tags)
    messages = tuple(
        _message(slot, found.sent.get(tag), found.sent.get(receipt_tags[mailbox.second_slot(slot)]))
        for slot, tag in enumerate(receipt_tags[: mailbox.MESSAGE_SLOTS])
        if tag in found.sent or receipt_tags[mailbox.second_slot(slot)] in found.sent
    )
    reply_key = mailbox.ReplyKey(keys.reply_seed)
    slots, posted = _lying(found, reply_tags, keys)
    header = _header(reply_key, slots.pop(mailbox.HEADER_SLOT, None), keys.header_key)
    if header is None:
        return Visit(keys, reply_key, (), messages)
    items = _items(registry, reply_key, slots, posted)
    held = holding.follow(registry, header, items)
    lying = frozenset(item.mark for item in items if item.mark)
    kept_from = kept_from_units(registry, today(), [header.kept_from])
    recipients, without_copy = _recipients(registry, header, held, kept_from)
    return Visit(
        keys,
        reply_key,
        _answers(registry, held),
        messages,
        header=_as_it_is_now(header, held, recipients, lying),
        stands_since=header.day if held.followed == header.followed else None,
        held=held,
        recipients=recipients,
        despite=bool(held.before and recipients and recipients[0].id in kept_from),
        despite_involved=header.involved and bool(held.before and held.by and held.by.kind is UnitKind.UNIT),
        without_copy=without_copy,
        overridden=lying,
    )


def _recipients(
    registry: Registry, header: reply.Header, held: Held, kept_from: frozenset[str]
) -> tuple[tuple[Unit, ...], bool]:
    """All that a message goes to, and whether a second seal is left out that whoever was given it would have.

    The second seal that the header names is the first holder's: it was chosen with it, so without the one there is
    nobody. Who was given it has their own, or none at present, and the page says which. Who gave it away, of whom the
    page says that nothing more goes to them, gets no copy either.
    """
    if held.by is None:
        return (), False
    if not held.before:
        if header.second is None:
            return (held.by,), False
        second = _enrolled(registry, header.second)
        return ((held.by, second) if second else ()), False
    if held.by.second_seal in (None, held.by.id):
        return (held.by,), False
    second = _enrolled(registry, held.by.second_seal)
    if second is None or second.id in kept_from or second.id in held.before:
        return (held.by,), True
    return (held.by, second), False


def _as_it_is_now(
    header: reply.Header, held: Held, recipients: tuple[Unit, ...], lying: frozenset[str]
) -> reply.Header:
    """The header by what lies in the slots now. What lies there no more need not be named."""
    return replace(
        header,
        unit=recipients[0].id if recipients else header.unit,
        second=recipients[1].id if len(recipients) > 1 else None,
        before=held.before,
        followed=held.followed & lying,
        settled=header.settled & lying,
    )


def _lying(
    found: Mailbox, reply_tags: list[bytes], keys: ConversationSecrets
) -> tuple[dict[int, bytes], dict[int, date]]:
    """By slot: what lies in it, and the day it was put there. What the reporter has deleted costs no opening."""
    slots = {
        slot: found.replies[tag]
        for slot, tag in enumerate(reply_tags)
        if tag in found.replies
        and not found.replies[tag].startswith(mailbox.deleted_mark(keys.header_key, tag))
    }
    return slots, dict.fromkeys(slots, today())


def _message(slot: int, first: Sent | None, second: Sent | None) -> Message:
    day = next(copy.day for copy in (first, second) if copy)
    return Message(slot, phrases.day(day), _is_held(first), _is_held(second))


def _is_held(copy: Sent | None) -> bool | None:
    return None if copy is None else copy.state is State.HELD


def _header(
    reply_key: mailbox.ReplyKey, sealed_header: bytes | None, header_key: Secret
) -> reply.Header | None:
    """The header. None where there is none that is genuine: to find that takes the same work."""
    try:
        plain = reply_key.open(_NO_HEADER if sealed_header is None else sealed_header)
    except mailbox.NotForThisMailbox:
        plain = _OF_NO_MAILBOX
    try:
        return reply.read_header(plain, header_key)
    except (NotCanonical, BadSignature):
        return None


def _enrolled(registry: Registry, unit_id: str) -> Unit | None:
    unit = holding.known(registry, unit_id)
    return unit if unit is not None and unit.is_enrolled else None


def _items(
    registry: Registry, reply_key: mailbox.ReplyKey, slots: dict[int, bytes], posted: dict[int, date]
) -> list[Item]:
    """What is genuine, whoever signed it, and what claims to be a handover. Each slot is opened and verified once."""
    public = reply_key.public()
    items = []
    for slot, ciphertext in slots.items():
        try:
            untrusted = reply_key.open(ciphertext)
            signed_by = registry.unit(reply.claimed_unit(untrusted)).reply_key
            items.append(_item(untrusted, public, signed_by, slot, posted[slot]))
        except (mailbox.NotForThisMailbox, NotCanonical, BadSignature, UnknownUnit):
            continue
    return items


def _item(untrusted: bytes, public: bytes, signed_by: bytes, slot: int, posted: date) -> Item:
    try:
        said = reply.read_any(untrusted, public, signed_by)
    except BadSignature:
        claimed = reply.claimed_handover(untrusted, public)
        return Item(slot, posted, claimed, mark=reply.mark(claimed, public), genuine=False)
    if isinstance(said, reply.Reply):
        return Item(slot, posted, said, digest=reply.digest(said, public))
    return Item(slot, posted, said, mark=reply.mark(said, public))


def _answers(registry: Registry, held: Held) -> tuple[Answer, ...]:
    """The answers that may be shown, newest first; what is there twice is shown once."""
    genuine: dict[str, tuple[reply.Reply, list[int]]] = {}
    for item in held.answers:
        if isinstance(item.said, reply.Reply):
            genuine.setdefault(item.digest, (item.said, []))[1].append(item.slot)
    newest_first = sorted(genuine.values(), key=lambda found: found[0].day, reverse=True)
    return tuple(
        Answer(str(at[0]), tuple(at), phrases.day(read.day), registry.unit(read.unit).name, read.text)
        for read, at in newest_first
    )
