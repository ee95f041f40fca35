"""What a report is: the words, where they go, and how to answer.

A report and a later message of the same conversation have one shape. What ties them together, the conversation's two
keys, is inside the seal, so that only the unit sees which belong together.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from common import canonical
from common.canonical import NotCanonical
from common.conversation.links import LINK_DIGITS, MOST_HANDOVERS, Conversation
from common.conversation.mailbox import REPLY_PUBLIC_KEY_BYTES
from common.names import is_short_name
from common.report import trail
from common.report.contact import SealedContact, checked
from common.secret import Secret

SCHEMA = 1
SEVERAL = "*"  # no force is called that
INVOLVED = (
    "The reporter said that the unit, or people above it, are or might be involved: choose an oversight body."
)
_LINK = re.compile(rf"[0-9a-f]{{{LINK_DIGITS}}}")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")  # Cc and Cs, but tab and line end


@dataclass(frozen=True)
class Report:
    """One message of a reporter. `day` is the day it was sent; nothing finer is known to anyone.

    `link`: 64 hex digits, the link at which `unit` held the conversation then. `sequence`: from 0, as in the header
    that was left with it.
    """

    text: str = field(repr=False)
    unit: str
    day: date
    first: bool
    conversation: Conversation = field(repr=False)
    link: str
    sequence: int
    trail: tuple[
        bytes, ...
    ] = ()  # signed steps of common/report/trail.py, oldest first; none before it is passed on
    kept_from: str = (
        ""  # the force that must not see it, by its id; SEVERAL: more than one, which were not named
    )
    contact: SealedContact | None = field(default=None, repr=False)  # an entry of its own in the archive
    involved: bool = False  # those who would see it, or who are above them, are or might be


@dataclass(frozen=True)
class Attachment:
    """A file within an envelope. `name` is its path in the archive, `kind` what its first bytes say it is."""

    name: str = field(repr=False)
    size: int
    sha256: str
    kind: str


def clean_text(untrusted: str) -> str:
    """Text as typed, with line ends made one kind and control characters made visible as U+FFFD.

    Marks that change direction stay: languages need them. Where they could deceive, the page isolates them.
    """
    text = untrusted.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROLS.sub("\ufffd", text)


def to_json(report: Report) -> bytes:
    """report.json: canonical JSON."""
    return canonical.dump(
        {
            "schema": SCHEMA,
            "text": report.text,
            "unit": report.unit,
            "day": report.day.isoformat(),
            "first": report.first,
            "link": report.link,
            "sequence": report.sequence,
            "mailbox_key": canonical.encode(report.conversation.mailbox_key.reveal()),
            "reply_public_key": canonical.encode(report.conversation.reply_public_key),
        }
        | ({"kept_from": report.kept_from} if report.kept_from else {})
        | ({"involved": True} if report.involved else {})
        | ({"trail": [canonical.encode(step) for step in report.trail]} if report.trail else {})
    )


def from_json(untrusted: bytes) -> Report:
    """The report in report.json. Raises NotCanonical."""
    document = canonical.load(untrusted)
    if canonical.whole(document, "schema") != SCHEMA:
        raise NotCanonical("a report of another version of Candour")
    first = document.get("first")
    if not isinstance(first, bool):
        raise NotCanonical("first is not true or false")
    try:
        day = date.fromisoformat(canonical.text(document, "day"))
    except ValueError as error:
        raise NotCanonical("not a day") from error
    return Report(
        text=canonical.text(document, "text"),
        unit=canonical.text(document, "unit"),
        day=day,
        first=first,
        conversation=Conversation(
            mailbox_key=Secret(canonical.octets(document, "mailbox_key", 32)),
            reply_public_key=canonical.octets(document, "reply_public_key", REPLY_PUBLIC_KEY_BYTES),
        ),
        link=_link(document),
        sequence=canonical.whole(document, "sequence"),
        trail=_trail(document),
        kept_from=_kept_from(document),
        involved=_involved(document),
    )


def _link(document: dict[str, Any]) -> str:
    link = canonical.text(document, "link")
    if not _LINK.fullmatch(link):
        raise NotCanonical("link is none")
    return link


def _kept_from(document: dict[str, Any]) -> str:
    if "kept_from" not in document:
        return ""
    force = canonical.text(document, "kept_from")
    if force != SEVERAL and not is_short_name(force):
        raise NotCanonical("kept_from is no force")
    return force


def _involved(document: dict[str, Any]) -> bool:
    if "involved" in document and not canonical.truth(document, "involved"):
        raise NotCanonical("involved is said where it is so")
    return "involved" in document


def _trail(document: dict[str, Any]) -> tuple[bytes, ...]:
    steps = canonical.listed(document, "trail") if "trail" in document else []
    if len(steps) > MOST_HANDOVERS or not all(isinstance(step, str) for step in steps):
        raise NotCanonical("not a trail")
    decoded = tuple(canonical.decode(step) for step in steps)
    for step in decoded:
        trail.claimed(step)
    return decoded


def to_text(report: Report, attachments: tuple[Attachment, ...]) -> bytes:
    """report.txt: the same for a person who has nothing but gpg and unzip."""
    kind = "A report" if report.first else "A later message"
    lines = [f"{kind} to {report.unit}, sent on {report.day.isoformat()}.", ""]
    if report.kept_from:
        force = (
            "more than one force, which they did not name"
            if report.kept_from == SEVERAL
            else report.kept_from
        )
        lines += [f"The reporter asked that it must not be seen by: {force}.", ""]
    if report.involved:
        lines += [INVOLVED, ""]
    steps = [trail.claimed(step) for step in report.trail]
    lines += [f"{step.by}: {step.sentence}" for step in steps] + [""] * bool(steps)
    if attachments:
        lines.append(f"Files: {len(attachments)}. Their checksums are in manifest.json.")
        lines += [f"  {file.name} ({file.size} bytes, looks like {file.kind})" for file in attachments]
        lines.append("")
    if report.contact:
        lines += [
            f"Contact details, given in confidence, are sealed to the identity holders of {report.contact.unit}."
        ]
        lines += ["Two of them can open contact.gpg. Whoever reads this cannot.", ""]
    lines += ["-" * 72, "", report.text, ""]
    return "\n".join(lines).encode()


def to_manifest(attachments: tuple[Attachment, ...], contact: SealedContact | None = None) -> bytes:
    """manifest.json: each file with its SHA-256, size in bytes and kind; whose key contact details are sealed to."""
    return canonical.dump(
        {
            "schema": SCHEMA,
            "files": [
                {"name": file.name, "size": file.size, "sha256": file.sha256, "kind": file.kind}
                for file in attachments
            ],
        }
        | ({"contact": _of_contact(contact)} if contact else {})
    )


def _of_contact(contact: SealedContact) -> dict[str, Any]:
    digest = hashlib.sha256(contact.sealed).hexdigest()
    return {"unit": contact.unit, "key": contact.key, "size": len(contact.sealed), "sha256": digest}


def from_manifest(untrusted: bytes) -> tuple[Attachment, ...]:
    """The files a manifest names. Raises NotCanonical."""
    return tuple(_attachment(entry) for entry in canonical.listed(canonical.load(untrusted), "files"))


def contact_from_manifest(untrusted: bytes, read: Callable[[], bytes]) -> SealedContact | None:
    """The contact details that a manifest names, if any; `read` gives their bytes. Raises NotCanonical."""
    document = canonical.load(untrusted)
    if "contact" not in document:
        return None
    said = canonical.inner(document, "contact")
    contact = checked(SealedContact(canonical.text(said, "unit"), canonical.text(said, "key"), read()))
    if _of_contact(contact) != said:
        raise NotCanonical("contact details that are not those of the manifest")
    return contact


def _attachment(entry: Any) -> Attachment:
    if not isinstance(entry, dict):
        raise NotCanonical("not a file")
    return Attachment(
        name=canonical.text(entry, "name"),
        size=canonical.whole(entry, "size"),
        sha256=canonical.text(entry, "sha256"),
        kind=canonical.text(entry, "kind"),
    )
