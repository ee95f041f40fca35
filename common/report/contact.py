"""Contact details given in confidence: sealed apart, to a key that other people hold than those who read the report.

They have one size whatever they say, and name the conversation that they belong to: so nobody who asks for the details
of one report is given those of another.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from common import canonical
from common.canonical import NotCanonical
from common.names import is_short_name
from common.report.padding import CONTACT_BYTES

LONGEST = 900  # characters: as many fit into CONTACT_BYTES, whatever they are
MOST_SEALED_BYTES = 16 * 1024  # more than they take when sealed to any key
_FINGERPRINT = re.compile(r"[0-9A-F]{40}")
_CONVERSATION = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Contact:
    """What a reporter wrote, and the identity of the conversation it is for: 32 hex digits."""

    text: str = field(repr=False)
    conversation: str


@dataclass(frozen=True)
class SealedContact:
    """A sealed message inside a report. `unit`: whose identity holders open it; `key`: the fingerprint of theirs."""

    unit: str
    key: str
    sealed: bytes = field(repr=False)


def compose(contact: Contact) -> bytes:
    """What is sealed: 4,096 bytes. Raises ValueError for details that are too long, which intake refuses before."""
    written = canonical.dump({"contact": contact.text, "conversation": contact.conversation})
    if len(contact.text) > LONGEST or len(written) > CONTACT_BYTES:
        raise ValueError("contact details are too long")
    return written.ljust(CONTACT_BYTES)


def read(untrusted: bytes) -> Contact:
    """What was sealed. Raises NotCanonical."""
    document = canonical.load(untrusted)
    return Contact(canonical.text(document, "contact"), canonical.text(document, "conversation"))


def to_body(contact: SealedContact) -> dict[str, Any]:
    """As a request for it carries it."""
    return {"unit": contact.unit, "key": contact.key, "sealed": canonical.encode(contact.sealed)}


def from_body(untrusted: dict[str, Any]) -> SealedContact:
    """Raises NotCanonical."""
    return checked(
        SealedContact(
            canonical.text(untrusted, "unit"),
            canonical.text(untrusted, "key"),
            canonical.octets(untrusted, "sealed"),
        )
    )


def checked(untrusted: SealedContact) -> SealedContact:
    """The same, its names and size seen to be such. Raises NotCanonical."""
    if (
        not is_short_name(untrusted.unit)
        or not _FINGERPRINT.fullmatch(untrusted.key)
        or not 0 < len(untrusted.sealed) <= MOST_SEALED_BYTES
    ):
        raise NotCanonical("not contact details")
    return untrusted


def is_conversation(untrusted: str) -> bool:
    """True for what can be a conversation's identity."""
    return _CONVERSATION.fullmatch(untrusted) is not None
