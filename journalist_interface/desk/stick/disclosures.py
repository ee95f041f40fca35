"""Asking the identity holders for contact details, and taking back what they say. The details are never opened here.

A request is made of what is on the desk alone, so that it can be written to another stick as the same document. An
entry counts when the registry that is here names those who signed it, and when it answers that very request.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common.days import today
from common.envelope_id import is_forwarded_id
from common.registry.registry import Registry, RegistryRefused, UnknownUnit
from common.report import disclosure
from common.report.disclosure import DisclosureRefused, Entry, Request, Why
from common.report.report import Report
from journalist_interface.desk.answers.composition import reply_key
from journalist_interface.desk.opening.inspection import open_envelope
from journalist_interface.desk.rows.contacts import Asked
from journalist_interface.desk.rows.envelopes import Envelope
from journalist_interface.desk.services import Desk, NotHere
from journalist_interface.desk.stick.bundle_export import NoStick


@dataclass(frozen=True)
class ShownRequest:
    """A request, and what came of it: a sentence each."""

    id: str
    sentence: str
    asked: Asked
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class ShownContact:
    """That contact details were given: whose holders can open them, whether the registry names any, what was asked.

    `handed_on`: others than the reporter had them in their hands.
    """

    unit: str
    can_be_asked: bool
    handed_on: bool
    requests: tuple[ShownRequest, ...]


@dataclass(frozen=True)
class Taken:
    """What an import found: entries that are new, and files that are refused with the reason."""

    new: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()


def ask(desk: Desk, envelope: Envelope, request_id: str, why: Why) -> None:
    """Sign a request for what came with an envelope, and write it to the stick. The same id twice is one request.

    Raises NotHere, NoStick, CannotOpen, NoReplyKey or RegistryRefused.
    """
    if not desk.settings.stick.is_dir():
        raise NoStick
    registry, unit = desk.settings.load_registry()
    request = _request(desk, envelope, unit.id, request_id, why, today())
    document = disclosure.sign_request(request, reply_key(desk, unit))
    disclosure.read_request(document, registry)
    digest = disclosure.digest_of(document)
    contact = request.contact
    added = Asked(request_id, envelope.id, contact.unit, why.value, request.day, digest, contact.key)
    if desk.cabinet.contacts.add(added):
        _write(desk, document)
    else:
        ask_again(desk, request_id)


def ask_again(desk: Desk, request_id: str) -> None:
    """Write a request to the stick once more: the same document. Raises as `ask` does."""
    asked = desk.cabinet.contacts.get(request_id)
    envelope = desk.cabinet.envelopes.get(asked.envelope) if asked else None
    if asked is None or envelope is None:
        raise NotHere
    _, unit = desk.settings.load_registry()
    key = reply_key(desk, unit)
    _write(desk, _document(desk, asked, envelope, unit.id, key))


def import_entries(desk: Desk) -> Taken:
    """Take the entries on the stick that answer a request of this desk. Raises RegistryRefused."""
    files = disclosure.found(desk.settings.stick, "entry")
    if not files:
        return Taken()
    registry, _ = desk.settings.load_registry()
    new, refused = [], []
    for file in files:
        try:
            if _take(desk, file, registry):
                new.append(file.name)
        except DisclosureRefused as error:
            refused.append((file.name, str(error)))
    return Taken(tuple(new), tuple(refused))


def _take(desk: Desk, file: Path, registry: Registry) -> bool:
    document = disclosure.read_file(file)
    asked = desk.cabinet.contacts.get(disclosure.claimed_request(document))
    if asked is None:
        raise DisclosureRefused("it answers no request of this desk")
    try:
        unit = registry.unit(asked.unit)
        entry = disclosure.read_entry(document, unit, asked.key or unit.identity_fingerprint)
    except UnknownUnit as error:
        raise DisclosureRefused("the registry that is here does not name that unit any more") from error
    if (entry.request, entry.digest) != (asked.id, asked.digest):
        raise DisclosureRefused("it answers another request than the one that this desk made")
    digest = disclosure.digest_of(document)
    return desk.cabinet.contacts.take(asked, digest, document, entry.outcome, today())


def was_handed_on(envelope_id: str, report: Report) -> bool:
    """Whether others than the reporter had a report's contact details in their hands, and could have put them there.

    What the server took from a reporter names one unit alone; what came by another unit has an id that says so.
    """
    contact = report.contact
    astray = contact is not None and contact.unit != report.unit
    return astray or is_forwarded_id(envelope_id) or bool(report.trail)


def shown(desk: Desk, envelope_id: str, report: Report) -> ShownContact | None:
    """What a page says of the contact details that came with an envelope."""
    contact = report.contact
    if contact is None:
        return None
    try:
        registry, _ = desk.settings.load_registry()
        unit = registry.unit(contact.unit)
        name, can_be_asked = unit.name, bool(unit.holders_of(contact.key))
    except (RegistryRefused, UnknownUnit):
        name, can_be_asked = contact.unit, False
    requests = tuple(_shown_request(desk, one) for one in desk.cabinet.contacts.of(envelope_id))
    return ShownContact(name, can_be_asked, was_handed_on(envelope_id, report), requests)


def _shown_request(desk: Desk, asked: Asked) -> ShownRequest:
    """The entries are read as they are: each was verified, by the registry of that day, before it was kept."""
    entries = tuple(disclosure.kept_entry(document) for document in desk.cabinet.contacts.entries(asked.id))
    return ShownRequest(asked.id, disclosure.SENTENCES[asked.why], asked, entries)


def _request(desk: Desk, envelope: Envelope, by: str, request_id: str, why: Why, day: date) -> Request:
    """The same for the same arguments, however often it is made."""
    _, opened, _ = open_envelope(desk, envelope.id, envelope.size)
    if opened.report.contact is None:
        raise NotHere
    handed_on = was_handed_on(envelope.id, opened.report)
    return Request(
        request_id, by, str(envelope.conversation), why, day, handed_on, contact=opened.report.contact
    )


def _document(desk: Desk, asked: Asked, envelope: Envelope, by: str, key: Ed25519PrivateKey) -> bytes:
    request = _request(desk, envelope, by, asked.id, Why(asked.why), asked.day)
    document = disclosure.sign_request(request, key)
    if disclosure.digest_of(document) != asked.digest:
        raise DisclosureRefused("this unit’s key has changed since it was asked; ask anew")
    return document


def _write(desk: Desk, document: bytes) -> None:
    try:
        disclosure.write_file(desk.settings.stick, "request", document)
    except OSError as error:
        raise NoStick from error
