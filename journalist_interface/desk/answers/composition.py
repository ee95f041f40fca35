"""An answer: looked at as its reporter will see it, then sealed twice, to the conversation and to the unit.

The reply key is opened when it is needed and kept by nobody. What stays on the disk, the words included, is
one file of one size whatever was said, sealed to the unit's certificate, or to its case key in a conversation that
is kept.
"""

import io
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from common import canonical
from common.conversation import mailbox
from common.conversation.mailbox import SLOTS, AnswerTooLong
from common.conversation.page_bytes import MOST_ANSWER_BYTES, rendered_bytes
from common.conversation.reply import Reply, compose, new_reply
from common.days import today
from common.gpg.opening import OpeningFailed
from common.gpg.sealing import SealingFailed
from common.registry.registry import Registry
from common.registry.units import Unit
from common.report import trail
from common.report.padding import REPLY_PLAINTEXT_BYTES
from common.report.report import Report
from common.transport import post
from journalist_interface.desk.opening.inspection import open_envelope
from journalist_interface.desk.opening.oversight import check_ours
from journalist_interface.desk.rows.answers import Answer, HandedOver
from journalist_interface.desk.rows.models import WAITING
from journalist_interface.desk.services import Desk, NotHere

_STORED_BYTES = (
    64 * 1024
)  # more than any answer's words, what was composed of them and its signed post take together
_MOST_KEY = 64 * 1024
_ANY_CONVERSATION = "0" * 32  # as long as any identity


class NoReplyKey(Exception):
    """The key that signs this unit's answers cannot be used. The message says why and what to do."""


class NoMoreRoom(Exception):
    """This conversation has had as many answers as its mailbox can hold. Nothing more can be answered in it."""


class AnswerLost(Exception):
    """This answer's words cannot be shown: its sealed file does not open, or is gone from this desk's disk."""


@dataclass(frozen=True)
class Draft:
    """An answer before it is sealed. `left`: bytes of room; less than nothing when it is too long."""

    reply: Reply
    left: int

    @property
    def too_long(self) -> AnswerTooLong | None:
        """What to say when it is."""
        return AnswerTooLong(-self.left) if self.left < 0 else None


@dataclass(frozen=True)
class StoredAnswer:
    """What an answer's file holds: its words, the signed post that goes to the servers, and what that seals.

    `composed`: the 8 KiB that the reporter gets. Sealed again, they are the same answer.
    """

    text: str = field(repr=False)
    outgoing: bytes = field(repr=False)
    composed: bytes = field(repr=False)


@dataclass(frozen=True)
class Addressed:
    """8 KiB sealed to a conversation: the slots that it may take, their tags of 16 bytes, and 9,328 bytes."""

    slots: tuple[int, ...]
    tags: tuple[bytes, ...] = field(repr=False)
    ciphertext: bytes = field(repr=False)

    def sign(self, unit: Unit, key: Ed25519PrivateKey) -> bytes:
        """The post that carries it, signed today."""
        return post.sign_reply(unit.id, today(), self.tags, self.ciphertext, key)


def draft(unit: Unit, text: str, day: date) -> Draft:
    """An answer with a fresh identity, measured without any real key: sealed, and as it takes room on a page."""
    reply = new_reply(unit.id, day, SLOTS, text)
    try:
        document = compose(reply, _ANY_CONVERSATION, Ed25519PrivateKey.generate())
    except AnswerTooLong as error:
        return Draft(reply, -error.over)
    room = min(REPLY_PLAINTEXT_BYTES - len(document.rstrip()), MOST_ANSWER_BYTES - rendered_bytes(reply.text))
    return Draft(reply, room)


def seal_answer(desk: Desk, identity: str, answer_id: str, text: str) -> bool:
    """Seal an answer in a conversation, and keep it until it is exported. `answer_id` is the draft's.

    False when it was sealed before. Raises HandedOver, CopyOnly, AnswerTooLong, NotHere, CannotOpen, NoReplyKey,
    NoMoreRoom, RegistryRefused, NoCaseKey, or SealingFailed.
    """
    if desk.cabinet.answers.get(answer_id) is not None:
        return False
    if desk.cabinet.forwards.standing(identity):
        raise HandedOver
    check_ours(desk.cabinet.conversations.get(identity))
    registry, unit = desk.settings.load_registry()
    first = first_report(desk, identity)
    if (over := rendered_bytes(text) - MOST_ANSWER_BYTES) > 0:
        raise AnswerTooLong(over)
    number = desk.cabinet.answers.next_number(identity)
    reply = Reply(answer_id, unit.id, today(), number, text)
    key = reply_key(desk, unit)
    composed = compose(reply, identity, key)
    sealed = address(desk, registry, first, composed)
    document = sealed.sign(unit, key)
    epoch = store_answer(desk, unit, identity, answer_id, StoredAnswer(text, document, composed))
    answer = Answer(answer_id, identity, reply.day, WAITING, None, number)
    return desk.cabinet.answers.add(answer, sealed.slots, post.identity(document), epoch)


def address(desk: Desk, registry: Registry, first: Report, composed: bytes) -> Addressed:
    """8 KiB sealed to the conversation of `first`, to slots that nobody may have taken.

    Raises NoMoreRoom.
    """
    conversation = first.conversation
    try:
        slots = mailbox.draw_candidates(conversation.mailbox_key, used_slots(desk, registry, first))
    except ValueError:
        try:  # an earlier holder may have named more than it took: its word keeps nobody from answering
            slots = mailbox.draw_candidates(conversation.mailbox_key, _own_slots(desk, first))
        except ValueError as error:
            raise NoMoreRoom from error
    tags = mailbox.tags(conversation.mailbox_key)
    ciphertext = mailbox.seal(composed, conversation.reply_public_key)
    return Addressed(slots, tuple(tags[slot] for slot in slots), ciphertext)


def used_slots(desk: Desk, registry: Registry, first: Report) -> frozenset[int]:
    """Reply slots that may be taken: by this desk, or by earlier holders as they signed it in the report's trail."""
    steps = trail.proven(first.trail, first.conversation.identity, registry)
    return _own_slots(desk, first) | trail.used_slots(steps)


def _own_slots(desk: Desk, first: Report) -> frozenset[int]:
    identity, cabinet = first.conversation.identity, desk.cabinet
    return cabinet.answers.used_slots(identity) | cabinet.forwards.used_slots(identity)


def read_answer(desk: Desk, answer_id: str) -> StoredAnswer:
    """An answer out of its sealed file. Raises AnswerLost."""
    content = bytearray()
    try:
        desk.opener.open(desk.files.answer(answer_id), content.extend, most=2 * _STORED_BYTES, ask=True)
        document = canonical.load(bytes(content))
        return StoredAnswer(
            canonical.text(document, "text"),
            canonical.octets(document, "outgoing"),
            canonical.octets(document, "composed", REPLY_PLAINTEXT_BYTES),
        )
    except (OpeningFailed, OSError, ValueError) as error:
        raise AnswerLost(str(AnswerLost.__doc__)) from error


def take_back(desk: Desk, answer_id: str) -> bool:
    """Forget an answer that has not left. False when it may have."""
    if not desk.cabinet.answers.take_back(answer_id):
        return False
    with suppress(FileNotFoundError):
        desk.files.answer(answer_id).unlink()
    return True


def reply_key(desk: Desk, unit: Unit) -> Ed25519PrivateKey:
    """The key that signs this unit's answers and exports. Use it and let it go. Raises NoReplyKey."""
    pem = bytearray()
    try:
        desk.opener.open(desk.settings.reply_key, pem.extend, most=_MOST_KEY, ask=True)
        key = load_pem_private_key(bytes(pem), None)
    except OpeningFailed as error:
        raise NoReplyKey(f"The key that signs answers does not open. {error}") from error
    except (OSError, ValueError, TypeError) as error:
        raise NoReplyKey(
            "The key that signs answers is missing or damaged. Put its file back in place."
        ) from error
    if not isinstance(key, Ed25519PrivateKey) or key.public_key().public_bytes_raw() != unit.reply_key:
        raise NoReplyKey(
            "The key that signs answers is not the one in the registry. Reporters would refuse what it signs: "
            "bring the two together before you answer."
        )
    return key


def first_report(desk: Desk, identity: str) -> Report:
    """The message that began a conversation: it holds what is needed to answer. Raises NotHere, CannotOpen."""
    first = desk.cabinet.conversations.first_message(identity)
    row = desk.cabinet.envelopes.get(first) if first else None
    if row is None:
        raise NotHere("no such conversation")
    _, opened, _ = open_envelope(desk, row.id, row.size)
    return opened.report


def store_answer(desk: Desk, unit: Unit, conversation: str, answer_id: str, answer: StoredAnswer) -> str:
    """Seal an answer for this desk. The fingerprint of the key that opens it: it was tried.

    Raises NoCaseKey, SealingFailed.
    """
    kept = desk.cabinet.sealed_to.is_kept(conversation)
    recipient = desk.settings.read_case_certificate() if kept else unit.certificate
    outgoing, composed = canonical.encode(answer.outgoing), canonical.encode(answer.composed)
    document = canonical.dump({"text": answer.text, "outgoing": outgoing, "composed": composed})
    token = secrets.token_hex(8)
    certificate = desk.settings.run / f"{token}.asc"
    part = desk.files.answer(answer_id).with_name(f"{token}.part")
    try:
        certificate.write_text(recipient, "ascii")
        desk.sealer.seal(io.BytesIO(document.ljust(_STORED_BYTES)), [certificate], part)
        try:
            epoch = desk.opener.open(part, lambda _: None, ask=True)
        except OpeningFailed as error:
            raise SealingFailed from error
        desk.files.put_answer(part, answer_id)
        return epoch
    finally:
        certificate.unlink(missing_ok=True)
        part.unlink(missing_ok=True)
