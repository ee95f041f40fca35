"""A post: what a unit's desk signs for the servers, so that a courier alone can leave nothing there.

A reply goes into a mailbox. Receipts say which envelopes the desk holds: only what a desk has said that it holds counts
as collected. The reply key that signs a post is held by the desk and by no courier.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common import canonical, signing
from common.canonical import NotCanonical
from common.contexts import Context
from common.conversation.mailbox import CANDIDATES, TAG_BYTES
from common.report.padding import REPLY_CIPHERTEXT_BYTES

MOST_BYTES = 32 * 1024
MOST_RECEIPTS = 200  # in one post: each takes 120 bytes
ID_DIGITS = 32
_REPLY, _RECEIPTS = "reply", "receipts"
_ID = re.compile(r"[0-9a-f]{32}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class ReplyPost:
    """An item for a mailbox: three candidate tags of 16 bytes, in random order, and 9,328 bytes of ciphertext."""

    unit: str
    day: date
    candidates: tuple[bytes, ...] = field(repr=False)
    ciphertext: bytes = field(repr=False)


@dataclass(frozen=True)
class ReceiptsPost:
    """The envelopes that a desk holds: id (32 hex digits) -> SHA-256 of the sealed bytes, in hex."""

    unit: str
    day: date
    held: Mapping[str, str]


def sign_reply(
    unit: str, day: date, candidates: Sequence[bytes], ciphertext: bytes, key: Ed25519PrivateKey
) -> bytes:
    """A reply post, signed by the unit's reply key. `day`: the day on which it is signed."""
    body = {
        "candidates": [canonical.encode(tag) for tag in candidates],
        "ciphertext": canonical.encode(ciphertext),
        "day": day.isoformat(),
        "kind": _REPLY,
        "unit": unit,
    }
    return signing.sign(body, Context.POST, key)


def sign_receipts(unit: str, day: date, held: Mapping[str, str], key: Ed25519PrivateKey) -> bytes:
    """A post of receipts for at most MOST_RECEIPTS envelopes. Raises ValueError for more, or for none."""
    if not 0 < len(held) <= MOST_RECEIPTS:
        raise ValueError(f"a post has 1 to {MOST_RECEIPTS} receipts")
    body = {
        "day": day.isoformat(),
        "envelopes": [{"id": one, "sha256": held[one]} for one in sorted(held)],
        "kind": _RECEIPTS,
        "unit": unit,
    }
    return signing.sign(body, Context.POST, key)


def read(untrusted: bytes, signed_by: bytes) -> ReplyPost | ReceiptsPost:
    """A post whose signature holds. `signed_by`: 32 bytes, the reply key. Raises BadSignature or NotCanonical."""
    if len(untrusted) > MOST_BYTES:
        raise NotCanonical("too large for a post")
    body = signing.verify(untrusted, Context.POST, signed_by)
    kind = canonical.text(body, "kind")
    if kind == _REPLY:
        return _reply(body)
    if kind == _RECEIPTS:
        return _receipts(body)
    raise NotCanonical("a post of an unknown kind")


def identity(document: bytes) -> str:
    """What a post is called: 32 hex digits of the SHA-256 of the whole signed document."""
    return hashlib.sha256(document).hexdigest()[:ID_DIGITS]


def _reply(body: dict[str, Any]) -> ReplyPost:
    tags = canonical.listed(body, "candidates")
    if len(tags) != CANDIDATES or not all(isinstance(tag, str) for tag in tags):
        raise NotCanonical(f"a reply names {CANDIDATES} tags")
    candidates = tuple(canonical.decode(tag, TAG_BYTES) for tag in tags)
    if len(set(candidates)) != CANDIDATES:
        raise NotCanonical("a tag twice")
    ciphertext = canonical.octets(body, "ciphertext", REPLY_CIPHERTEXT_BYTES)
    return ReplyPost(canonical.text(body, "unit"), canonical.day(body, "day"), candidates, ciphertext)


def _receipts(body: dict[str, Any]) -> ReceiptsPost:
    entries = canonical.listed(body, "envelopes")
    if not 0 < len(entries) <= MOST_RECEIPTS or not all(isinstance(one, dict) for one in entries):
        raise NotCanonical("not a list of receipts")
    held = {canonical.text(one, "id"): canonical.text(one, "sha256") for one in entries}
    if len(held) != len(entries) or not all(
        _ID.fullmatch(one) and _SHA256.fullmatch(digest) for one, digest in held.items()
    ):
        raise NotCanonical("not a list of receipts")
    return ReceiptsPost(canonical.text(body, "unit"), canonical.day(body, "day"), held)
