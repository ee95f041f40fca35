"""What a unit puts into a mailbox: an answer, or a handover by which it gives the conversation to another.

Each is signed by the unit's Ed25519 reply key and names the conversation it is for, so that it cannot be carried over
to another one. An answer has a number, so that one that never arrived is missed. A handover names the link at which
its unit held the conversation, and the answers that stand. All are padded to exactly 8 KiB and look alike sealed.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common import canonical, signing
from common.canonical import NotCanonical
from common.contexts import Context
from common.conversation.mailbox import SLOTS, pad_item

MARK_DIGITS = 24
_ANSWER_FIELDS = frozenset({"conversation", "day", "id", "number", "text", "unit"})
_HANDOVER_FIELDS = frozenset(
    {"after", "conversation", "copy_to", "day", "id", "next", "rewritten", "standing", "unit"}
)
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Reply:
    """An answer as the reporter sees it. `identity` is random (32 hex digits) and tells one from another.

    `number`: from 1, the place of this answer among all of its unit in this conversation.
    """

    identity: str
    unit: str
    day: date
    number: int
    text: str = field(repr=False)


@dataclass(frozen=True)
class Handover:
    """By it a holder, `unit`, gives a conversation to the `next` one. `identity` is random (32 hex digits).

    `after`: the link at which `unit` held it, 64 hex digits; several, where others gave it that differ. `standing`:
    what `digest` says of each answer of the old holder that stands. Whatever else it signed, then or later, counts no
    more; a digest, unlike an identity or a day, cannot be given to another answer afterwards. `copy_to`: the id of the
    second seal that got a copy of what went, or "". `rewritten`: it went in other words than the reporter's, and
    without files.
    """

    identity: str
    unit: str
    next: str
    day: date
    after: tuple[str, ...]
    standing: frozenset[str]
    copy_to: str = ""
    rewritten: bool = False


def new_reply(unit: str, day: date, number: int, text: str) -> Reply:
    """A reply with a fresh identity."""
    return Reply(secrets.token_hex(16), unit, day, number, text)


def compose(reply: Reply, conversation: str, key: Ed25519PrivateKey) -> bytes:
    """The 8 KiB that are sealed. `conversation`: its identity. Raises AnswerTooLong."""
    return pad_item(signing.sign(_reply_body(reply, conversation), Context.REPLY, key))


def digest(reply: Reply, conversation: str) -> str:
    """What a handover calls an answer: the SHA-256 of all that is signed, in hex."""
    return hashlib.sha256(canonical.dump(_reply_body(reply, conversation))).hexdigest()


def compose_handover(handover: Handover, conversation: str, key: Ed25519PrivateKey) -> bytes:
    """The 8 KiB that are sealed: more than a hundred answers can stand. Raises AnswerTooLong."""
    return pad_item(signing.sign(_handover_body(handover, conversation), Context.HANDOVER, key))


def sign_again(composed: bytes, key: Ed25519PrivateKey) -> bytes:
    """The same 8 KiB, signed by the key of today: where that is the key of then, nothing changes (RFC 8032)."""
    body = signing.read_unverified(composed)
    return pad_item(signing.sign(body, Context.HANDOVER if "next" in body else Context.REPLY, key))


def claimed_unit(untrusted_document: dict[str, Any]) -> str:
    """Whom a loaded item says it is from, before its signature is looked at. Raises NotCanonical."""
    return canonical.text(canonical.inner(untrusted_document, "body"), "unit")


def read(untrusted: bytes, conversation: str, signed_by: bytes) -> Reply | Handover:
    """An answer or a handover whose signature holds and that is meant for this conversation.

    `signed_by`: the unit's reply key by the registry, 32 bytes. Raises BadSignature or NotCanonical.
    """
    return read_document(canonical.load(untrusted), conversation, signed_by)


def read_document(
    untrusted_document: dict[str, Any], conversation: str, signed_by: bytes
) -> Reply | Handover:
    """The same of an item that was loaded already."""
    fields = canonical.inner(untrusted_document, "body").keys()
    if fields not in (_ANSWER_FIELDS, _HANDOVER_FIELDS):  # before anything of it costs more
        raise NotCanonical("neither an answer nor a handover")
    if fields == _HANDOVER_FIELDS:
        return _handover(
            signing.verify_document(untrusted_document, Context.HANDOVER, signed_by), conversation
        )
    body = signing.verify_document(untrusted_document, Context.REPLY, signed_by)
    _check_conversation(body, conversation)
    number = canonical.whole(body, "number")
    if not 0 < number <= SLOTS:
        raise NotCanonical("not a number of an answer")
    return Reply(
        identity=canonical.text(body, "id"),
        unit=canonical.text(body, "unit"),
        day=canonical.day(body, "day"),
        number=number,
        text=canonical.text(body, "text"),
    )


def mark(handover: Handover, conversation: str) -> str:
    """What a header calls a handover: 24 hex digits of the SHA-256 of all that is signed."""
    return hashlib.sha256(canonical.dump(_handover_body(handover, conversation))).hexdigest()[:MARK_DIGITS]


def _handover(body: dict[str, Any], conversation: str) -> Handover:
    _check_conversation(body, conversation)
    standing = canonical.listed(body, "standing")
    after = canonical.listed(body, "after")
    if not all(isinstance(one, str) and _DIGEST.fullmatch(one) for one in (*standing, *after)):
        raise NotCanonical("not a list of digests")
    return Handover(
        identity=canonical.text(body, "id"),
        unit=canonical.text(body, "unit"),
        next=canonical.text(body, "next"),
        day=canonical.day(body, "day"),
        after=tuple(after),
        standing=frozenset(standing),
        copy_to=canonical.text(body, "copy_to"),
        rewritten=canonical.truth(body, "rewritten"),
    )


def _check_conversation(body: dict[str, Any], conversation: str) -> None:
    if canonical.text(body, "conversation") != conversation:
        raise signing.BadSignature


def _reply_body(reply: Reply, conversation: str) -> dict[str, Any]:
    return {
        "conversation": conversation,
        "day": reply.day.isoformat(),
        "id": reply.identity,
        "number": reply.number,
        "text": reply.text,
        "unit": reply.unit,
    }


def _handover_body(handover: Handover, conversation: str) -> dict[str, Any]:
    return {
        "after": list(handover.after),
        "conversation": conversation,
        "copy_to": handover.copy_to,
        "day": handover.day.isoformat(),
        "id": handover.identity,
        "next": handover.next,
        "rewritten": handover.rewritten,
        "standing": sorted(handover.standing),
        "unit": handover.unit,
    }
