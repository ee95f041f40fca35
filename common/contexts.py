"""Every context that Candour signs, seals, derives or authenticates under, in one list.

A context goes into each such operation, so that what was made for one purpose never counts for another (RFC 5869,
section 3.2; RFC 9180, section 5.1). No two are equal, and none has a line break, so a context and what follows it on
the next line can be read in one way only. Whoever needs another adds it here.
"""

from enum import StrEnum, unique


@unique
class Context(StrEnum):
    """A context; `octets` as it is, and `line` with the line break that ends it."""

    # Secrets of a conversation: HKDF labels.
    RECEIPT_KEY = "candour/1 receipt-key"
    MAILBOX_KEY = "candour/1 mailbox-key"
    HEADER_KEY = "candour/1 header-key"
    HEADER_TAG_KEY = "candour/1 header-tag-key"
    REPLY_SEED = "candour/1 reply-seed"
    TAGS = "candour/1 tags"

    # What is sealed: HPKE's info, and the associated data of ciphers.
    MAILBOX_ITEM = "candour/1 mailbox item"
    SESSION = "candour/1 session"
    PRIMARY_KEY_BOX = "candour/1 primary key in a box"

    # What is hashed or authenticated by a MAC.
    CONVERSATION = "candour/1 conversation"
    LINK = "candour/1 link"
    HEADER = "candour/1 header"
    DELETED = "candour/1 deleted"
    ADDRESSEES = "candour/1 addressees"

    # What is signed.
    REGISTRY = "candour/1 registry"
    SUCCESSION_BY_OLD_ROOT = "candour/1 root succession, by the old root"
    SUCCESSION_BY_NEW_ROOT = "candour/1 root succession, by the new root"
    REPLY = "candour/1 reply"
    HANDOVER = "candour/1 handover"
    CUSTODY = "candour/1 custody"
    CONTACT_REQUEST = "candour/1 contact request"
    CONTACT_ENTRY = "candour/1 contact entry"
    BUNDLE = "candour/1 bundle"
    FORWARD = "candour/1 forward"
    POST = "candour/1 post"

    @property
    def octets(self) -> bytes:
        """The context in ASCII."""
        return self.value.encode("ascii")

    @property
    def line(self) -> bytes:
        """The context as the first line of what is hashed, signed or authenticated."""
        return self.octets + b"\n"
