"""What a returning reporter finds: answers whose signatures hold, who reads and answers now, and what was sent.

Every visit asks for all 512 tags in two queries, and writes nothing.
"""

import secrets
from dataclasses import dataclass, field
from datetime import date

from common import mailbox, phrases, reply
from common.canonical import NotCanonical
from common.derivation import ConversationSecrets, conversation_secrets
from common.padding import REPLY_CIPHERTEXT_BYTES
from common.registry import Registry, UnknownUnit
from common.secret import Secret
from common.signing import BadSignature
from common.store.kept import Mailbox
from common.store.repository import Store
from common.units import Unit
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
    """A conversation, as its codename opens it."""

    secrets: ConversationSecrets = field(repr=False)
    answers: tuple[Answer, ...] = field(repr=False)
    messages: tuple[Message, ...]
    handed_to: str | None = None  # the name of who was given it last, where it is not who had it at first
    handed_by: tuple[str, ...] = ()
    copy_to: str | None = None  # the name of who gets a copy of what is written to one who was given it
    lost: bool = (
        False  # somebody is missing who had it: nothing goes to anybody before the reporter has chosen
    )
    holder: Unit | None = None

    @property
    def contact_to(self) -> str | None:
        """The name of the holder, where contact details can be given in confidence.

        None as long as there is nothing to be seen of a conversation: a codename that was never used looks the same.
        """
        seen = bool(self.messages or self.answers)
        open_ = seen and not self.lost
        return self.holder.name if open_ and self.holder and self.holder.takes_contacts else None

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
    header = _holder(registry, reply_key, slots.pop(mailbox.HEADER_SLOT, None), keys.header_key)
    if header is None or header.unit is None:
        return Visit(keys, (), messages, lost=header is not None)
    held = holding.follow(registry, header.unit, header.since, _items(registry, reply_key, slots, posted))
    return Visit(
        keys,
        _answers(registry, held),
        messages,
        handed_to=held.holder.name if held.before and held.holder else None,
        handed_by=tuple(unit.name for unit in held.before),
        copy_to=next((unit.name for unit in _second_seal(registry, held.by)), None) if held.by else None,
        lost=held.by is None or not header.recipients,
        holder=held.holder,
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
    return slots, {slot: found.posted[reply_tags[slot]] for slot in slots}


def _message(slot: int, first: tuple[date, bool] | None, second: tuple[date, bool] | None) -> Message:
    day = next(copy[0] for copy in (first, second) if copy)
    return Message(slot, phrases.day(day), first and first[1], second and second[1])


@dataclass(frozen=True)
class Holder:
    """Who holds a conversation, and the day its header says so since. No `unit`: nothing may be sealed to it now.

    `recipients` are all that a message goes to, the second seal with them; empty when one of them is missing.
    """

    unit: Unit | None
    recipients: tuple[Unit, ...]
    since: date


def holder_of(
    store: Store, registry: Registry, keys: ConversationSecrets, reply_key: mailbox.ReplyKey
) -> Holder | None:
    """Who holds a conversation, by its header and the handovers since: all that writing again has to know.

    `since` is the header's day: once the header is renewed, it names whoever holds the conversation then.
    """
    reply_tags = mailbox.tags(keys.mailbox_key)
    found = store.mailbox((), reply_tags)
    slots, posted = _lying(found, reply_tags, keys)
    header = _holder(registry, reply_key, slots.pop(mailbox.HEADER_SLOT, None), keys.header_key)
    if header is None or header.unit is None or not header.recipients:
        return header
    held = holding.follow(registry, header.unit, header.since, _items(registry, reply_key, slots, posted))
    if held.by is None:
        return Holder(None, (), header.since)
    others = _second_seal(registry, held.by) if held.before else header.recipients[1:]
    return Holder(held.by, (held.by, *others), header.since)


def _second_seal(registry: Registry, holder: Unit) -> tuple[Unit, ...]:
    """Who gets a copy of what goes to one who was given a conversation: that is not what the first holder's got."""
    if holder.second_seal is None or holder.second_seal == holder.id:
        return ()
    found = _enrolled(registry, holder.second_seal)
    return (found,) if found else ()


def _holder(
    registry: Registry, reply_key: mailbox.ReplyKey, sealed_header: bytes | None, header_key: Secret
) -> Holder | None:
    """Whom the header names. None where there is no header that is genuine: to find that takes the same work."""
    try:
        plain = reply_key.open(_NO_HEADER if sealed_header is None else sealed_header)
    except mailbox.NotForThisMailbox:
        plain = _OF_NO_MAILBOX
    try:
        header = reply.read_header(plain, header_key)
    except (NotCanonical, BadSignature):
        return None
    found = [_enrolled(registry, named) for named in (header.unit, header.second) if named is not None]
    recipients = tuple(unit for unit in found if unit is not None)
    return Holder(found[0], recipients if len(recipients) == len(found) else (), header.day)


def _enrolled(registry: Registry, unit_id: str) -> Unit | None:
    try:
        return registry.recipient(unit_id)
    except UnknownUnit:
        return None


def _items(
    registry: Registry, reply_key: mailbox.ReplyKey, slots: dict[int, bytes], posted: dict[int, date]
) -> list[Item]:
    """What is genuine, whoever signed it. Each slot is opened and verified once, whoever holds what."""
    public = reply_key.public()
    items = []
    for slot, ciphertext in slots.items():
        try:
            untrusted = reply_key.open(ciphertext)
            said = reply.read_any(untrusted, public, registry.unit(reply.claimed_unit(untrusted)).reply_key)
        except (mailbox.NotForThisMailbox, NotCanonical, BadSignature, UnknownUnit):
            continue
        digest = reply.digest(said, public) if isinstance(said, reply.Reply) else ""
        items.append(Item(slot, posted[slot], said, digest))
    return items


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
