"""Asking for contact details that were given in confidence, and what came of it.

    contact-request-<8 hex>.json    from a reviewers' desk, signed with the unit's reply key: the details, still sealed,
                                    which conversation they belong to, and why they are asked for
    contact-entry-<8 hex>.json      from the identity holders' desk: opened, signed by two of them, or refused, by one

An entry goes into the trail of the case and holds no word of what was opened. It names the SHA-256 of the request.
Reasons are chosen from lists, as those of common/report/trail.py are: both files lie open on a stick, and words of
one's own would tempt to repeat the report.
"""

import hashlib
import os
import re
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common import canonical, signing
from common.canonical import NotCanonical
from common.contexts import Context
from common.durable import write_whole
from common.envelope_id import is_envelope_id
from common.registry.holders import NEEDED
from common.registry.registry import Registry, UnknownUnit
from common.registry.units import Unit
from common.report import contact
from common.report.contact import SealedContact
from common.signing import BadSignature

MOST_BYTES = 64 * 1024
_FILE = re.compile(r"contact-(request|entry)-[0-9a-f]{8}\.json")

Kind = Literal["request", "entry"]


class Outcome(StrEnum):
    """What came of a request."""

    OPENED = "opened"
    REFUSED = "refused"


class Why(StrEnum):
    """Why contact details are asked for, and why they are opened."""

    AGREED = "agreed"
    DANGER = "danger"
    TOO_SLOW = "too-slow"
    LAW = "law"


class WhyNot(StrEnum):
    """Why they are not opened."""

    NOT_SHOWN = "not-shown"
    OTHER_WAY = "other-way"
    HARM = "harm"


SENTENCES: Mapping[str, str] = {
    Why.AGREED: "The reporter agreed to it, by the codename.",
    Why.DANGER: "Somebody may be in danger.",
    Why.TOO_SLOW: "The case cannot go on, and the reporter has not been back by the codename.",
    Why.LAW: "A court or the law requires it.",
    WhyNot.NOT_SHOWN: "The reason that was given was not shown.",
    WhyNot.OTHER_WAY: "It can be asked by the codename.",
    WhyNot.HARM: "It could harm the reporter.",
}


class DisclosureRefused(Exception):
    """A request or an entry is refused. The message says why; ask for it to be made again."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"It is refused: {reason}.")


@dataclass(frozen=True)
class Request:
    """A request of the unit `by`. `id`, `conversation`: 32 hex digits each.

    `handed_on`: the details did not come from the reporter straight to who asks: others had them in their hands.
    """

    id: str
    by: str
    conversation: str
    why: Why
    day: date
    handed_on: bool
    contact: SealedContact = field(repr=False)


@dataclass(frozen=True)
class Entry:
    """What came of it. `id`: 32 random hex digits, so that two openings of one day are two entries; `digest`: SHA-256
    of the request in hex; `unit`: whose holders `by` are.
    """

    id: str
    request: str
    digest: str
    unit: str
    outcome: Outcome
    why: Why | WhyNot
    day: date
    by: tuple[str, ...]


def digest_of(document: bytes) -> str:
    """SHA-256 in hex, by which an entry names its request."""
    return hashlib.sha256(document).hexdigest()


def sign_request(request: Request, key: Ed25519PrivateKey) -> bytes:
    """The request as it travels. The same request and key give the same bytes."""
    body = {
        "id": request.id,
        "by": request.by,
        "conversation": request.conversation,
        "why": request.why.value,
        "day": request.day.isoformat(),
        "handed_on": request.handed_on,
        "contact": contact.to_body(request.contact),
    }
    return signing.sign(body, Context.CONTACT_REQUEST, key)


def read_request(untrusted: bytes, registry: Registry) -> Request:
    """A request that the unit it names has signed. Raises DisclosureRefused."""
    try:
        by = canonical.text(signing.read_unverified(untrusted), "by")
        body = signing.verify(untrusted, Context.CONTACT_REQUEST, registry.recipient(by).reply_key)
        request = Request(
            id=canonical.text(body, "id"),
            by=by,
            conversation=canonical.text(body, "conversation"),
            why=Why(canonical.text(body, "why")),
            day=canonical.day(body, "day"),
            handed_on=canonical.truth(body, "handed_on"),
            contact=contact.from_body(canonical.inner(body, "contact")),
        )
    except UnknownUnit as error:
        raise DisclosureRefused(
            "the registry that is here names no such unit that asks, or it is suspended"
        ) from error
    except BadSignature as error:
        raise DisclosureRefused("it was altered, or not signed by the unit that it names") from error
    except (NotCanonical, ValueError) as error:
        raise DisclosureRefused("it is damaged, or no request") from error
    if not is_envelope_id(request.id) or not contact.is_conversation(request.conversation):
        raise DisclosureRefused("it is damaged, or no request")
    return request


def sign_entry(entry: Entry, keys: Mapping[str, Ed25519PrivateKey]) -> bytes:
    """The entry as it travels, signed by each of `keys`: the holders by name, who are those that it names."""
    if sorted(keys) != sorted(entry.by):
        raise ValueError("an entry is signed by those whom it names")
    body = {
        "id": entry.id,
        "request": entry.request,
        "digest": entry.digest,
        "unit": entry.unit,
        "outcome": entry.outcome.value,
        "why": entry.why.value,
        "day": entry.day.isoformat(),
        "by": sorted(entry.by),
    }
    signed = {
        name: canonical.encode(signing.sign(body, Context.CONTACT_ENTRY, key)) for name, key in keys.items()
    }
    return canonical.dump({"signed": signed})


def claimed_request(untrusted: bytes) -> str:
    """The id of the request that an entry says it answers, no signature looked at. Raises DisclosureRefused."""
    try:
        signed = canonical.inner(canonical.load(untrusted), "signed")
        one = min(signed, default="")
        return canonical.text(signing.read_unverified(canonical.octets(signed, one)), "request")
    except NotCanonical as error:
        raise DisclosureRefused("it is damaged, or no entry") from error


def read_entry(untrusted: bytes, unit: Unit, key: str) -> Entry:
    """An entry that holders of an identity key of `unit` have signed: two where it was opened. `key`: its fingerprint,
    as the request names it. Raises DisclosureRefused.
    """
    holders = unit.holders_of(key)
    try:
        signed = canonical.inner(canonical.load(untrusted), "signed")
        if not signed or not signed.keys() <= holders.keys():
            raise DisclosureRefused(
                "it is not signed by identity holders whom the registry names for that key"
            )
        bodies = [
            signing.verify(canonical.octets(signed, name), Context.CONTACT_ENTRY, holders[name])
            for name in sorted(signed)
        ]
        entry = _entry(bodies[0])
    except BadSignature as error:
        raise DisclosureRefused("it was altered, or not signed by those whom it names") from error
    except (NotCanonical, ValueError) as error:
        raise DisclosureRefused("it is damaged, or no entry") from error
    if not is_envelope_id(entry.id):
        raise DisclosureRefused("it is damaged, or no entry")
    if any(body != bodies[0] for body in bodies) or list(entry.by) != sorted(signed):
        raise DisclosureRefused("those who signed it did not sign the same")
    if entry.unit != unit.id:
        raise DisclosureRefused("it is of another unit's identity holders")
    if len(entry.by) < (NEEDED if entry.outcome is Outcome.OPENED else 1):
        raise DisclosureRefused("one holder alone can open nothing")
    return entry


def kept_entry(document: bytes) -> Entry:
    """An entry that `read_entry` has taken before. Its signatures are not looked at again: registries change.

    Raises DisclosureRefused for one that was damaged since.
    """
    try:
        signed = canonical.inner(canonical.load(document), "signed")
        return _entry(signing.read_unverified(canonical.octets(signed, min(signed, default=""))))
    except (NotCanonical, ValueError) as error:
        raise DisclosureRefused("it is damaged, or no entry") from error


def _entry(body: dict[str, Any]) -> Entry:
    outcome, why, by = (
        Outcome(canonical.text(body, "outcome")),
        canonical.text(body, "why"),
        canonical.listed(body, "by"),
    )
    if not all(isinstance(name, str) for name in by):
        raise NotCanonical("not a list of names")
    return Entry(
        id=canonical.text(body, "id") if "id" in body else "",  # one of an earlier release, kept before
        request=canonical.text(body, "request"),
        digest=canonical.text(body, "digest"),
        unit=canonical.text(body, "unit"),
        outcome=outcome,
        why=Why(why) if outcome is Outcome.OPENED else WhyNot(why),
        day=canonical.day(body, "day"),
        by=tuple(by),
    )


def found(stick: Path, kind: Kind) -> list[Path]:
    """The files of a kind on a stick, by name."""
    if not stick.is_dir():
        return []
    return sorted(
        file for file in stick.iterdir() if (named := _FILE.fullmatch(file.name)) and named[1] == kind
    )


def read_file(untrusted_file: Path) -> bytes:
    """A small file of a stick: not a link, and no device that would keep us waiting. Raises DisclosureRefused."""
    try:
        descriptor = os.open(untrusted_file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise DisclosureRefused("it cannot be read, or is a link") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise DisclosureRefused("it is no plain file")
        content = os.read(descriptor, MOST_BYTES + 1)
    except OSError as error:
        raise DisclosureRefused("it cannot be read") from error
    finally:
        os.close(descriptor)
    if len(content) > MOST_BYTES:
        raise DisclosureRefused("it is too large")
    return content


def write_file(folder: Path, kind: Kind, document: bytes) -> Path:
    """Write a document to a folder, whole, durably, under a name of its own. Raises OSError."""
    file = folder / f"contact-{kind}-{secrets.token_hex(4)}.json"
    write_whole(file, document)
    return file
