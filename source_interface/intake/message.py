"""A message on its way in: from the form that arrives to an envelope that is kept.

One pass: socket -> multipart -> ZIP -> gpg -> staging file. gpg pulls: nothing is read faster than it can be sealed,
and no more than a chunk is held. Only when the file, its folder and its row are durable does `receive` return.
Whatever goes wrong on the way leaves neither file nor row.

Where there is a second seal, the one pass goes through two gpgs into two envelopes, each with an id, a tag and an
owner of its own: neither owner is shown that there is another. Both are kept, or neither.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy.exc import SQLAlchemyError

from common.config import Limits
from common.conversation import mailbox
from common.conversation.header import Header, compose_header
from common.days import today
from common.gpg.sealing import Pieces, RecipientRefused, SealingFailed
from common.registry.units import Unit
from common.report import archive, contact
from common.report.contact import Contact, SealedContact
from common.report.report import Report, clean_text
from common.store.values import Addressed, AlreadyReceived, SealedReply
from source_interface.conversation.keys import Keys
from source_interface.intake import certificates
from source_interface.intake.form import CONTACT, TEXT, StreamedForm
from source_interface.refusals import Refused
from source_interface.services import Services

_LOOK_AT_THE_DISK_EVERY = 64 * 1024 * 1024
_SMALL = 1024 * 1024  # bytes of a form: the longest text alone, and more
_log = logging.getLogger("candour.intake")


@dataclass(frozen=True)
class Sender:
    """The conversation a message belongs to, and where it goes: to its holder, and to the second seal, if any.

    `header`: what the message leaves for the next visit. `first`: its recipients have had nothing of this conversation
    from its reporter.
    """

    keys: Keys = field(repr=False)
    recipients: tuple[Unit, ...]
    header: Header
    first: bool

    @property
    def unit(self) -> Unit:
        """The holder of the conversation."""
        return self.recipients[0]

    @property
    def second(self) -> Unit | None:
        """To whom it is also sealed."""
        return self.recipients[1] if len(self.recipients) > 1 else None


def receive(services: Services, form: StreamedForm, sender: Sender, slot: int, expected_bytes: int) -> date:
    """Seal and keep the message in `form`, whose fields before the first file have been read.

    Returns the day it was received. Raises Refused; or AlreadyReceived when this very form has arrived before.
    """
    limits = services.config.limits
    if expected_bytes > limits.max_report_bytes:
        raise Refused("report too large", field="files")
    _check_room(services, expected_bytes * len(sender.recipients))
    if form.has_files and services.store.was_received(sender.keys.receipt_tags[slot]):
        raise AlreadyReceived  # rather than sealing all of it first
    if TEXT in form.fields:
        _checked_text(form, limits)  # before any file is read, where the page's order is kept

    day = today()
    typed_contact = form.contact
    sealed_contact = _sealed_contact(services, form, sender)

    def report() -> Report:
        text = _checked_text(form, limits)
        if form.contact != typed_contact:  # it came after the first file, as on no page of ours
            raise Refused("broken", field=CONTACT)
        to = sender.header.destination
        return Report(
            text=text,
            unit=to.unit,
            day=day,
            first=sender.first,
            conversation=sender.keys.conversation,
            link=sender.header.link,
            sequence=sender.header.sequence,
            kept_from=to.kept_from,
            involved=to.involved,
            contact=sealed_contact,
        )

    def seal(outputs: Sequence[int]) -> None:
        pieces = _watching_the_disk(services, archive.write(form.files(), report))
        recipients = [[certificates.certificate_of_the_day(unit, day)] for unit in sender.recipients]
        services.sealer.seal_each(Pieces(pieces), list(zip(recipients, outputs, strict=True)))

    envelopes = [
        Addressed(sender.keys.receipt_tags[number], unit.id)
        for number, unit in zip((slot, mailbox.second_slot(slot)), sender.recipients, strict=False)
    ]
    try:
        services.store.receive(envelopes, _header(sender, slot), day, seal)
    except RecipientRefused as error:
        for unit in sender.recipients:  # gpg does not say which
            _log.error("the certificate of unit %s is refused by gpg", unit.id)
        raise Refused("recipient") from error
    except (SealingFailed, SQLAlchemyError, OSError) as error:
        _log.error("a message could not be kept: %s", type(error).__name__)
        raise Refused("not kept") from error
    return day


def _checked_text(form: StreamedForm, limits: Limits) -> str:
    text = clean_text(form.text)
    if not text.strip():
        raise Refused("no text", field=TEXT)
    if len(text) > limits.max_text_chars:
        raise Refused("text too long", field=TEXT)
    return text


def _sealed_contact(services: Services, form: StreamedForm, sender: Sender) -> SealedContact | None:
    """How to reach the reporter, sealed to other people than the reviewers; None where nothing was typed there."""
    text = clean_text(form.contact)
    if not text.strip():
        return None
    if len(text) > contact.LONGEST:
        raise Refused("contact too long", field=CONTACT)
    unit = sender.unit
    if not unit.takes_contacts:
        raise Refused("contact closed", field=CONTACT)
    plain = contact.compose(Contact(text, sender.keys.conversation.identity))
    try:
        sealed = services.sealer.seal_in_memory(plain, [certificates.identity_certificate(unit)])
    except SealingFailed as error:
        _log.error("a message could not be kept: %s", type(error).__name__)
        raise Refused("contact closed", field=CONTACT) from error
    return SealedContact(unit.id, unit.identity_fingerprint, sealed)


def _header(sender: Sender, slot: int) -> SealedReply:
    """Who holds this conversation, for the next visit: sealed to the codename itself, under a tag of its own."""
    plain = compose_header(sender.header, sender.keys.secrets.header_key)
    return SealedReply(sender.keys.header_tags[slot], mailbox.seal(plain, sender.keys.reply_key.public()))


def _check_room(services: Services, wanted: int) -> None:
    limits = services.config.limits
    keep_free = limits.keep_free_of_small if 0 < wanted <= _SMALL else limits.keep_free_bytes
    if services.store.free_bytes() - wanted < keep_free:
        _log.error("the disk is nearly full: a message was refused")
        raise Refused("no room", field="files")


def _watching_the_disk(services: Services, pieces: Iterator[bytes]) -> Iterator[bytes]:
    since_last_look = 0
    for piece in pieces:
        since_last_look += len(piece)
        if since_last_look > _LOOK_AT_THE_DISK_EVERY:
            _check_room(services, since_last_look)
            since_last_look = 0
        yield piece
