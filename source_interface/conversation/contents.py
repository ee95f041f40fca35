"""What lies in a mailbox, opened: the header that counts, what units signed, and what the reporter deleted."""

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from common import canonical
from common.canonical import NotCanonical
from common.conversation import header, mailbox, reply
from common.conversation.destination import Destination
from common.conversation.header import Deleted, Header
from common.conversation.links import new_link
from common.days import today
from common.registry.registry import Registry, UnknownUnit
from common.registry.units import Unit
from common.report.padding import REPLY_CIPHERTEXT_BYTES
from common.secret import Secret
from common.signing import BadSignature
from common.store.values import KEEP_REPLIES
from source_interface.conversation.holding import Item
from source_interface.conversation.keys import Keys

# A codename with no news has a header for each message. As many items are opened where there is nothing: they open
# with no codename, and no MAC of them holds. Each one beyond costs about 0.1 ms.
OPENED_AT_LEAST = 8
_AHEAD = timedelta(days=2)  # by which a desk's clock may go before ours
_NOTHING = secrets.token_bytes(REPLY_CIPHERTEXT_BYTES)
_OF_NO_MAILBOX = header.compose_header(
    Header(new_link(), Destination("no-unit")), Secret(secrets.token_bytes(32))
)


@dataclass(frozen=True)
class Contents:
    """`header`: the one with the highest sequence; None where there is none that is genuine."""

    header: Header | None
    items: tuple[Item, ...] = field(repr=False)
    deleted: tuple[Deleted, ...] = field(repr=False)


def open_contents(registry: Registry, keys: Keys, sealed: Mapping[bytes, bytes]) -> Contents:
    """Open and verify what lies under the tags of these keys. `sealed`: by tag."""
    header_key = keys.secrets.header_key
    opened = _opened(keys.reply_key, sealed, header_key)
    newest = _newest_header([opened[tag] for tag in keys.header_tags if tag in opened], header_key)
    lying = _loaded(opened.get(tag, b"") for tag in keys.reply_tags)
    deleted = dict(_deleted(lying, header_key))
    gone = {one.digest for one in deleted.values()}
    signed = _items(registry, keys.conversation.identity, lying, deleted)
    items = tuple(item for item in signed if item.digest not in gone)
    return Contents(newest, items, tuple(deleted.values()))


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
