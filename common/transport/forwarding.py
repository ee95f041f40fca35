"""What a desk hands its courier to pass a conversation on: slips for sealed envelopes, and the handover.

A slip is signed by the unit's reply key, which no courier has: so a courier alone can post nothing to another unit, and
what arrives is what the desk sealed. An envelope's id follows from its content: no two contents have one id, and
nobody can put another content under an id that was seen. A bundle of kind "forwards" is one conversation passed on: its
first item is this document, the others are the envelopes that its slips name.
"""

import re
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common import canonical, signing
from common.canonical import NotCanonical
from common.contexts import Context
from common.envelope_id import forwarded_id
from common.transport import post

MOST_BYTES = 512 * 1024
MOST_ENVELOPES = 256
SLIP_BYTES = 4 * 1024  # more than any slip takes
CHUNK = 1024 * 1024  # of an envelope, in one request
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ID_DIGITS = 32


@dataclass(frozen=True)
class Slip:
    """Says that `by` posts to `to` the envelope of this id, size in bytes and SHA-256 in hex.

    The id is `forwarded_id` of the SHA-256. No envelope of a reporter has one of this form.
    """

    id: str
    by: str
    to: str
    day: date
    size: int
    sha256: str


@dataclass(frozen=True)
class Forward:
    """A conversation passed on: signed slips, and the handover as a signed post (common/transport/post.py)."""

    slips: tuple[bytes, ...]
    handover: bytes = field(repr=False)


def sign_slip(slip: Slip, key: Ed25519PrivateKey) -> bytes:
    """The slip as the collection takes it."""
    body = {
        "id": slip.id,
        "by": slip.by,
        "to": slip.to,
        "day": slip.day.isoformat(),
        "size": slip.size,
        "sha256": slip.sha256,
    }
    return signing.sign(body, Context.FORWARD, key)


def read_slip(untrusted: bytes, signed_by: bytes) -> Slip:
    """A slip whose signature holds. Raises BadSignature or NotCanonical."""
    return _slip(signing.verify(untrusted, Context.FORWARD, signed_by))


def renew_slip(own: bytes, day: date, key: Ed25519PrivateKey) -> bytes:
    """A slip that this unit signed before, signed anew for another day. Raises NotCanonical."""
    return sign_slip(replace(_slip(signing.read_unverified(own)), day=day), key)


def dump(forward: Forward) -> bytes:
    """Canonical JSON."""
    return canonical.dump(
        {
            "slips": [canonical.encode(slip) for slip in forward.slips],
            "handover": canonical.encode(forward.handover),
        }
    )


def load(untrusted: bytes) -> Forward:
    """Raises NotCanonical. The slips and the handover are not looked into."""
    document = canonical.load(untrusted)
    slips = canonical.listed(document, "slips")
    if not 0 < len(slips) <= MOST_ENVELOPES or not all(isinstance(slip, str) for slip in slips):
        raise NotCanonical("not a list of slips")
    handover = canonical.octets(document, "handover")
    if len(handover) > post.MOST_BYTES:
        raise NotCanonical("too large for a post")
    return Forward(tuple(canonical.decode(slip) for slip in slips), handover)


def _slip(body: dict[str, Any]) -> Slip:
    slip = Slip(
        id=canonical.text(body, "id"),
        by=canonical.text(body, "by"),
        to=canonical.text(body, "to"),
        day=canonical.day(body, "day"),
        size=canonical.whole(body, "size"),
        sha256=canonical.text(body, "sha256"),
    )
    if not _SHA256.fullmatch(slip.sha256) or slip.id != forwarded_id(slip.sha256) or slip.size <= 0:
        raise NotCanonical("not a slip")
    return slip
