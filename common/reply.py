"""What lies in a mailbox: an answer of the unit, and the header that says who holds the conversation.

An answer is signed by its unit's Ed25519 reply key and names the mailbox it is for, so that it cannot be carried
over to another conversation. The header is made by the source interface with a MAC under the header key, which
no unit has, so that none can make itself the holder. Both are padded to exactly 8 KiB and look alike sealed.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import date

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common import canonical, signing
from common.canonical import NotCanonical
from common.padding import REPLY_PLAINTEXT_BYTES
from common.secret import Secret

_REPLY = "candour/1 reply"
_HEADER = b"candour/1 header\n"


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


def new_reply(unit: str, day: date, text: str) -> Reply:
    """A reply with a fresh identity."""
    return Reply(identity=secrets.token_hex(16), unit=unit, day=day, text=text)


def compose(reply: Reply, reply_public_key: bytes, key: Ed25519PrivateKey) -> bytes:
    """The 8 KiB that are sealed. Raises AnswerTooLong."""
    body = {
        "day": reply.day.isoformat(),
        "id": reply.identity,
        "mailbox": _mailbox(reply_public_key),
        "text": reply.text,
        "unit": reply.unit,
    }
    return _padded(signing.sign(body, _REPLY, key))


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


@dataclass(frozen=True)
class Header:
    """To whom the conversation goes, and the second seal that it has, if any."""

    unit: str
    day: date
    second: str | None = None


def compose_header(header: Header, header_key: Secret) -> bytes:
    """The 8 KiB that are sealed into slot 0."""
    body = {"day": header.day.isoformat(), "second": header.second, "unit": header.unit}
    mac = hmac.digest(header_key.reveal(), _HEADER + canonical.dump(body), hashlib.sha256)
    return _padded(canonical.dump({"body": body, "mac": canonical.encode(mac)}))


def read_header(untrusted: bytes, header_key: Secret) -> Header:
    """The header, when its MAC holds. Raises BadSignature or NotCanonical."""
    document = canonical.load(untrusted)
    body = canonical.inner(document, "body")
    expected = hmac.digest(header_key.reveal(), _HEADER + canonical.dump(body), hashlib.sha256)
    if not hmac.compare_digest(canonical.octets(document, "mac", len(expected)), expected):
        raise signing.BadSignature
    return Header(canonical.text(body, "unit"), _day(body), canonical.optional_text(body, "second"))


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
