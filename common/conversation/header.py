"""What only the reporter's codename can write: who holds the conversation, and which answers were deleted.

Both carry a MAC under the header key, which no unit has: so no unit can make itself the holder, and none can have an
answer passed over. Padded to exactly 8 KiB; sealed, they look like answers.

Each message leaves a header of its own, under a tag of its own, that says who held the conversation then. The one with
the highest sequence counts. What lay there before is left as it is: so nothing shows that two messages belong together.
"""

import hashlib
import hmac
from dataclasses import asdict, dataclass
from typing import Any

from common import canonical
from common.canonical import NotCanonical
from common.contexts import Context
from common.conversation import links as conversation
from common.conversation.destination import Destination
from common.conversation.links import MOST_HANDOVERS
from common.conversation.mailbox import pad_item
from common.secret import Secret
from common.signing import BadSignature

_MAC_BYTES = 32
MOST_MARKS = 64


@dataclass(frozen=True)
class Header:
    """Where the conversation went with the message of this `sequence`, and how it had come there.

    `first_link`: 64 hex digits, the link of the first of `holders`. `sequence`: of the first message a random number,
    and one more with each. `before`: ids of those who had it before the destination's unit, in order. `marks`: what
    `reply.mark` says of the handovers on that way that lay there then, at most MOST_MARKS.
    """

    first_link: str
    destination: Destination
    sequence: int = 0
    before: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()

    @property
    def holders(self) -> tuple[str, ...]:
        """The ids of all who had it, in order; the last one has it."""
        return (*self.before, self.destination.unit)

    @property
    def link(self) -> str:
        """The link at which its holder has it."""
        return conversation.links(self.first_link, self.holders)[-1]


@dataclass(frozen=True)
class Deleted:
    """An answer that the reporter deleted: who wrote it, its number, and the digest of what was signed, in hex."""

    unit: str
    number: int
    digest: str


def compose_header(header: Header, header_key: Secret) -> bytes:
    """The 8 KiB that are sealed under the tag of the message's slot."""
    body = asdict(header) | {"before": list(header.before), "marks": list(header.marks)}
    return _compose(body, Context.HEADER, header_key)


def read_header(untrusted: bytes, header_key: Secret) -> Header:
    """The header, when its MAC holds. Raises BadSignature or NotCanonical."""
    body = _read(canonical.load(untrusted), Context.HEADER, header_key)
    destination = canonical.inner(body, "destination")
    before = tuple(map(str, canonical.listed(body, "before")))
    if len(before) > MOST_HANDOVERS:
        raise NotCanonical("handed over more often than can be")
    return Header(
        first_link=canonical.text(body, "first_link"),
        destination=Destination(
            canonical.text(destination, "unit"),
            canonical.text(destination, "second"),
            canonical.text(destination, "kept_from"),
            canonical.truth(destination, "involved"),
        ),
        sequence=canonical.whole(body, "sequence"),
        before=before,
        marks=tuple(map(str, canonical.listed(body, "marks"))),
    )


def compose_deleted(deleted: Deleted, header_key: Secret) -> bytes:
    """The 8 KiB that are sealed in place of an answer."""
    return _compose(asdict(deleted), Context.DELETED, header_key)


def read_deleted(untrusted_document: dict[str, Any], header_key: Secret) -> Deleted:
    """What was deleted, out of a loaded item whose MAC holds. Raises BadSignature or NotCanonical."""
    body = _read(untrusted_document, Context.DELETED, header_key)
    return Deleted(
        canonical.text(body, "unit"), canonical.whole(body, "number"), canonical.text(body, "digest")
    )


def _compose(body: dict[str, Any], context: Context, header_key: Secret) -> bytes:
    return pad_item(canonical.dump({"body": body, "mac": canonical.encode(_mac(body, context, header_key))}))


def _read(untrusted_document: dict[str, Any], context: Context, header_key: Secret) -> dict[str, Any]:
    untrusted_mac = canonical.octets(untrusted_document, "mac", _MAC_BYTES)
    body = canonical.inner(untrusted_document, "body")
    if not hmac.compare_digest(untrusted_mac, _mac(body, context, header_key)):
        raise BadSignature
    return body


def _mac(body: dict[str, Any], context: Context, header_key: Secret) -> bytes:
    return hmac.digest(header_key.reveal(), context.line + canonical.dump(body), hashlib.sha256)
