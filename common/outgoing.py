"""A reply on its way from desk to collection: its candidate tags and its ciphertext, as one small document."""

from dataclasses import dataclass, field

from common import canonical
from common.canonical import NotCanonical
from common.mailbox import CANDIDATES, TAG_BYTES
from common.padding import REPLY_CIPHERTEXT_BYTES

MOST_BYTES = 32 * 1024


@dataclass(frozen=True)
class OutgoingReply:
    """Candidate tags (three of 16 bytes, in random order) and 9,328 bytes of ciphertext."""

    candidates: tuple[bytes, ...] = field(repr=False)
    ciphertext: bytes = field(repr=False)


def dump(reply: OutgoingReply) -> bytes:
    """Canonical JSON."""
    return canonical.dump(
        {
            "candidates": [canonical.encode(tag) for tag in reply.candidates],
            "ciphertext": canonical.encode(reply.ciphertext),
        }
    )


def load(untrusted: bytes) -> OutgoingReply:
    """Raises NotCanonical."""
    if len(untrusted) > MOST_BYTES:
        raise NotCanonical("too large for a reply")
    document = canonical.load(untrusted)
    tags = canonical.listed(document, "candidates")
    if len(tags) != CANDIDATES or not all(isinstance(tag, str) for tag in tags):
        raise NotCanonical(f"a reply names {CANDIDATES} tags")
    candidates = tuple(canonical.decode(tag, TAG_BYTES) for tag in tags)
    if len(set(candidates)) != CANDIDATES:
        raise NotCanonical("a tag twice")
    return OutgoingReply(candidates, canonical.octets(document, "ciphertext", REPLY_CIPHERTEXT_BYTES))
