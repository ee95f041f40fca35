"""What lies in a mailbox: an answer of the unit, and the header that says who holds the conversation.

An answer is signed by its unit's Ed25519 reply key and names the mailbox it is for, so that it cannot be carried
over to another conversation. The header is made by the source interface with a MAC under the header key, which
no unit has, so that none can make itself the holder. A handover is signed by the holder and names the next one, and
the answers that stand. All are padded to exactly 8 KiB and look alike sealed.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common import canonical, signing
from common.canonical import NotCanonical
from common.padding import REPLY_PLAINTEXT_BYTES
from common.secret import Secret

_REPLY = "candour/1 reply"
_HANDOVER = "candour/1 handover"
_HEADER = b"candour/1 header\n"
_MARK_BYTES = 12
MOST_HANDOVERS = 16  # of one conversation: as many as its trail has steps
_DIGEST = re.compile(r"[0-9a-f]{64}")


class AnswerTooLong(ValueError):
    """The answer is too long for one message. Shorten it, or send it as two answers."""

    def __init__(self, over: int) -> None:
        super().__init__(f"The answer is too long by about {over} characters. Shorten it, or send it as two.")
        self.over = over


@dataclass(frozen=True)
class Reply:
    """An answer as the reporter sees it. `identity` is random (32 hex digits) and tells one from another."""

    identity: str
    unit: str
    day: date
    text: str = field(repr=False)


@dataclass(frozen=True)
class Handover:
    """By it a holder, `unit`, gives a conversation to the `next` one. `identity` is random (32 hex digits).

    `standing`: what `digest` says of each answer of the old holder that stands. Whatever else it signed, then or
    later, counts no more; a digest, unlike an identity or a day, cannot be given to another answer afterwards.
    `copy_to`: the id of the second seal that got a copy of what went, or "". `rewritten`: it went in other words than
    the reporter's, and without files.
    """

    identity: str
    unit: str
    next: str
    day: date
    standing: frozenset[str]
    copy_to: str = ""
    rewritten: bool = False


def new_reply(unit: str, day: date, text: str) -> Reply:
    """A reply with a fresh identity."""
    return Reply(identity=secrets.token_hex(16), unit=unit, day=day, text=text)


def compose(reply: Reply, reply_public_key: bytes, key: Ed25519PrivateKey) -> bytes:
    """The 8 KiB that are sealed. Raises AnswerTooLong."""
    return _padded(signing.sign(_reply_body(reply, reply_public_key), _REPLY, key))


def digest(reply: Reply, reply_public_key: bytes) -> str:
    """What a handover calls an answer: the SHA-256 of all that is signed, in hex."""
    return hashlib.sha256(canonical.dump(_reply_body(reply, reply_public_key))).hexdigest()


def mark(handover: Handover, reply_public_key: bytes) -> str:
    """What a header calls a handover: 96 bits of the SHA-256 of all that is signed, so that 255 fit into one."""
    signed = canonical.dump(_handover_body(handover, reply_public_key))
    return canonical.encode(hashlib.sha256(signed).digest()[:_MARK_BYTES])


def compose_handover(handover: Handover, reply_public_key: bytes, key: Ed25519PrivateKey) -> bytes:
    """The 8 KiB that are sealed: more than a hundred answers can stand. Raises AnswerTooLong."""
    return _padded(signing.sign(_handover_body(handover, reply_public_key), _HANDOVER, key))


def claimed_unit(untrusted: bytes) -> str:
    """Whom the reply says it is from, before its signature is looked at. Raises NotCanonical."""
    return canonical.text(signing.read_unverified(untrusted), "unit")


def read(untrusted: bytes, reply_public_key: bytes, signed_by: bytes) -> Reply:
    """A reply whose signature holds and that is meant for this mailbox.

    `signed_by`: the unit's reply key by the registry, 32 bytes. Raises BadSignature or NotCanonical.
    """
    body = signing.verify(untrusted, _REPLY, signed_by)
    if canonical.text(body, "mailbox") != _mailbox(reply_public_key):
        raise signing.BadSignature
    return Reply(
        identity=canonical.text(body, "id"),
        unit=canonical.text(body, "unit"),
        day=_day(body),
        text=canonical.text(body, "text"),
    )


def read_any(untrusted: bytes, reply_public_key: bytes, signed_by: bytes) -> Reply | Handover:
    """An answer or a handover, whichever it says it is; otherwise as `read`."""
    if "next" not in signing.read_unverified(untrusted):
        return read(untrusted, reply_public_key, signed_by)
    return _handover(signing.verify(untrusted, _HANDOVER, signed_by), reply_public_key)


def claimed_handover(untrusted: bytes, reply_public_key: bytes) -> Handover:
    """A handover for this mailbox by its shape, whoever signed it. Raises BadSignature or NotCanonical."""
    return _handover(signing.read_unverified(untrusted), reply_public_key)


def _handover(body: dict[str, Any], reply_public_key: bytes) -> Handover:
    if canonical.text(body, "mailbox") != _mailbox(reply_public_key):
        raise signing.BadSignature
    body = {"copy_to": "", "rewritten": False} | body
    standing = canonical.listed(body, "standing")
    if not all(isinstance(one, str) and _DIGEST.fullmatch(one) for one in standing):
        raise NotCanonical("not a list of digests")
    return Handover(
        identity=canonical.text(body, "id"),
        unit=canonical.text(body, "unit"),
        next=canonical.text(body, "next"),
        day=_day(body),
        standing=frozenset(standing),
        copy_to=canonical.text(body, "copy_to"),
        rewritten=canonical.truth(body, "rewritten"),
    )


@dataclass(frozen=True)
class Header:
    """To whom the conversation goes, and what was known when that was written.

    `second`: the second seal that it began with, if any. `kept_from`: the force that must not see it, as a report
    says it. `involved`: as a report says it. `before`: who passed it on until then, in order, at most MOST_HANDOVERS.
    `followed`: the marks of the handovers by which it came to `unit`; `settled`: those of all others that lay there.
    None of either is followed again.
    """

    unit: str
    day: date
    second: str | None = None
    kept_from: str = field(default="", repr=False)
    before: tuple[str, ...] = ()
    followed: frozenset[str] = frozenset()
    settled: frozenset[str] = frozenset()
    involved: bool = False


def compose_header(header: Header, header_key: Secret) -> bytes:
    """The 8 KiB that are sealed into slot 0. The longest fits: a mailbox has 255 slots for handovers."""
    body = {
        "before": list(header.before),
        "day": header.day.isoformat(),
        "followed": sorted(header.followed),
        "involved": header.involved,
        "kept_from": header.kept_from,
        "second": header.second,
        "settled": sorted(header.settled),
        "unit": header.unit,
    }
    mac = hmac.digest(header_key.reveal(), _HEADER + canonical.dump(body), hashlib.sha256)
    return _padded(canonical.dump({"body": body, "mac": canonical.encode(mac)}))


def read_header(untrusted: bytes, header_key: Secret) -> Header:
    """The header, when its MAC holds. Raises BadSignature or NotCanonical.

    One of before there were handovers, forces to keep it from or people involved, says nothing of them.
    """
    document = canonical.load(untrusted)
    body = canonical.inner(document, "body")
    expected = hmac.digest(header_key.reveal(), _HEADER + canonical.dump(body), hashlib.sha256)
    if not hmac.compare_digest(canonical.octets(document, "mac", len(expected)), expected):
        raise signing.BadSignature
    body = {"before": [], "followed": [], "settled": [], "kept_from": "", "involved": False} | body
    return Header(
        unit=canonical.text(body, "unit"),
        day=_day(body),
        second=canonical.optional_text(body, "second"),
        kept_from=canonical.text(body, "kept_from"),
        before=tuple(map(str, canonical.listed(body, "before"))),
        followed=frozenset(map(str, canonical.listed(body, "followed"))),
        settled=frozenset(map(str, canonical.listed(body, "settled"))),
        involved=canonical.truth(body, "involved"),
    )


def _reply_body(reply: Reply, reply_public_key: bytes) -> dict[str, Any]:
    return {
        "day": reply.day.isoformat(),
        "id": reply.identity,
        "mailbox": _mailbox(reply_public_key),
        "text": reply.text,
        "unit": reply.unit,
    }


def _handover_body(handover: Handover, reply_public_key: bytes) -> dict[str, Any]:
    """What is signed. Where no copy went and nothing was rewritten it has the form of before this was said."""
    copy = {"copy_to": handover.copy_to} if handover.copy_to else {}
    how = {"rewritten": True} if handover.rewritten else {}
    return {
        "day": handover.day.isoformat(),
        "id": handover.identity,
        "mailbox": _mailbox(reply_public_key),
        "next": handover.next,
        "standing": sorted(handover.standing),
        "unit": handover.unit,
    } | (copy | how)


def _mailbox(reply_public_key: bytes) -> str:
    return hashlib.sha256(reply_public_key).hexdigest()


def _day(body: dict[str, object]) -> date:
    try:
        return date.fromisoformat(canonical.text(body, "day"))
    except ValueError as error:
        raise NotCanonical("not a day") from error


def _padded(document: bytes) -> bytes:
    over = len(document) - REPLY_PLAINTEXT_BYTES
    if over > 0:
        raise AnswerTooLong(over)
    return document.ljust(REPLY_PLAINTEXT_BYTES)  # JSON allows white space after it
