"""Passing a conversation on: sealed anew to another unit, with its trail, and a handover for its mailbox.

What a message holds streams out of one gpg into another, and is written nowhere between. The new envelope has the same
conversation keys, so that the next holder can answer, and a step of the trail that says who passed it on, and why. The
original stays sealed here as it came; of a rewritten version nothing but the new words goes.
"""

import io
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common import bundle, envelope, forwarding, reply, trail
from common.days import today
from common.envelope import FilePart, NotAnEnvelope
from common.forwarding import Slip
from common.passing import Passing, Pulled
from common.registry import Registry
from common.reply import Handover, Reply
from common.report import Report
from common.sealing import OpeningFailed, SealingFailed
from common.store.blobs import new_id
from common.trail import Step, Why
from common.units import Unit
from journalist_interface.desk import reasons
from journalist_interface.desk.answering import (
    AnswerLost,
    address,
    first_report,
    read_answer,
    reply_key,
    used_slots,
)
from journalist_interface.desk.envelopes import Envelope
from journalist_interface.desk.forwards import Forward, Forwarded
from journalist_interface.desk.opening import CannotOpen, open_envelope
from journalist_interface.desk.rows import WAITING
from journalist_interface.desk.workplace import Desk, NotHere

_KEEP_FREE = 256 * 1024 * 1024


class NotForwardable(Exception):
    """This cannot be passed on. The message says why."""


class ForwardLost(Exception):
    """What was passed on does not open, or is gone from this desk's disk. It was not exported."""


@dataclass(frozen=True)
class Choice:
    """What a reviewer decides. `rewritten`: the words that go instead of the original; None: it goes as it came."""

    receiver: str
    why: Why
    rewritten: str | None = None


@dataclass(frozen=True)
class _Work:
    """What every envelope of one passing on needs."""

    desk: Desk
    unit: Unit
    receiver: Unit
    why: Why
    key: Ed25519PrivateKey
    first: Report
    certificate: Path
    used: frozenset[int]


def receivers(desk: Desk, registry: Registry, unit: Unit, first: Report) -> list[Unit]:
    """To whom a conversation may go: all who are enrolled, but those who had it before. By kind and name.

    Where it was passed on already, later messages go to the same unit, as long as that is enrolled: the reporter is
    shown one holder.
    """
    before = {unit.id, *(trail.claimed(step).by for step in first.trail)}
    found = [one for one in registry.units if one.is_enrolled and one.id not in before]
    has = {one.receiver for one in desk.cabinet.forwards.standing(first.conversation.identity)}
    again = [one for one in found if one.id in has]
    return sorted(again or found, key=lambda one: (one.kind, one.name))


def forward(desk: Desk, identity: str, forward_id: str, choice: Choice) -> bool:
    """Seal a conversation to another unit, and keep that until it is exported. False when it was done before.

    Raises NotForwardable, Changed, NotHere, CannotOpen, WrongFile, NoReplyKey, NoMoreRoom, RegistryRefused,
    NoCaseKey, SealingFailed or StickBusy. Nothing is kept then.
    """
    with desk.alone():
        if desk.cabinet.forwards.get(forward_id) is not None:
            return False
        desk.files.clear_forwarded(desk.cabinet.forwards.files())
        registry, unit = desk.settings.load_registry()
        first = first_report(desk, identity)
        receiver = _receiver(receivers(desk, registry, unit, first), choice.receiver)
        messages = _messages(desk, identity, choice)
        certificate = desk.settings.run / f"{secrets.token_hex(8)}.asc"
        work = _Work(
            *(desk, unit, receiver, choice.why, reply_key(desk, unit), first, certificate),
            used=used_slots(desk, first),
        )
        try:
            certificate.write_text(receiver.certificate, "ascii")
            return _forward(work, forward_id, messages, choice.rewritten)
        finally:
            certificate.unlink(missing_ok=True)
            desk.files.clear_forwarded(desk.cabinet.forwards.files())


def document_of(desk: Desk, forward_id: str) -> bytes:
    """The slips and the handover of a passing on, out of their sealed file. Raises ForwardLost."""
    content = bytearray()
    try:
        desk.opener.open(desk.files.forwarded(forward_id), content.extend, most=forwarding.MOST_BYTES)
    except OpeningFailed as error:
        raise ForwardLost from error
    return bytes(content)


def take_back(desk: Desk, forward_id: str) -> bool:
    """Undo a passing on that has not left. False when it may have."""
    if not desk.cabinet.forwards.take_back(forward_id, today()):
        return False
    for name in (forward_id, *(one.id for one in desk.cabinet.forwards.envelopes(forward_id))):
        with suppress(FileNotFoundError):
            desk.files.forwarded(name).unlink()
    return True


def _receiver(possible: Sequence[Unit], unit_id: str) -> Unit:
    for unit in possible:
        if unit.id == unit_id:
            return unit
    raise NotForwardable(
        "It cannot go there: that unit is not enrolled, had it before, or another has it now."
    )


def _messages(desk: Desk, identity: str, choice: Choice) -> list[Envelope]:
    messages = desk.cabinet.envelopes.of_conversation(identity)
    if not messages:
        raise NotHere
    if choice.rewritten is not None:
        return messages
    sent = desk.cabinet.forwards.sent(identity, choice.receiver)
    left = [message for message in messages if message.id not in sent]
    if not left:
        raise NotForwardable("All of it was passed on to that unit already.")
    if sum(message.size for message in left) + _KEEP_FREE > desk.files.free_bytes():
        raise NotForwardable("This desk's disk has no room for it. Make room, and do it again.")
    return left


def _forward(work: _Work, forward_id: str, messages: Sequence[Envelope], rewritten: str | None) -> bool:
    desk, day = work.desk, today()
    identity = work.first.conversation.identity
    answers = desk.cabinet.answers.of_conversation(identity)
    handover = Handover(secrets.token_hex(16), work.unit.id, work.receiver.id, day, _standing(work, answers))
    public = work.first.conversation.reply_public_key
    slots, sealed = address(desk, work.first, reply.compose_handover(handover, public, work.key))
    work = replace(work, used=work.used | frozenset(slots))
    if rewritten is None:
        made = [_as_it_came(work, message) for message in messages]
    else:
        made = [_rewritten(work, messages, rewritten)]
    slips = tuple(
        forwarding.sign_slip(
            Slip(one.id, work.unit.id, work.receiver.id, day, one.size, one.sha256), work.key
        )
        for one in made
    )
    epoch = _keep_document(work, forward_id, forwarding.dump(forwarding.Forward(slips, sealed)))
    row = Forward(
        *(forward_id, identity, work.receiver.id, work.why.value, rewritten is not None, day, WAITING, None)
    )
    originals = [message.id for message in messages]
    return desk.cabinet.forwards.add(row, slots, made, originals, answers, epoch)


def _standing(work: _Work, answers: Iterable[str]) -> frozenset[str]:
    """What the handover calls the answers of this desk: those that open, since no other can have been exported."""
    public, found = work.first.conversation.reply_public_key, set()
    for answer_id in answers:
        row = work.desk.cabinet.answers.get(answer_id)
        with suppress(AnswerLost):
            text = read_answer(work.desk, answer_id).text
            if row is not None:
                found.add(reply.digest(Reply(row.id, work.unit.id, row.day, text), public))
    return frozenset(found)


def _step(work: _Work, originals: tuple[str, ...], *, rewritten: bool) -> bytes:
    step = Step(
        by=work.unit.id,
        to=work.receiver.id,
        day=today(),
        why=work.why,
        rewritten=rewritten,
        conversation=work.first.conversation.identity,
        originals=originals,
        used=tuple(sorted(work.used)),
    )
    return trail.sign(step, work.key)


def _as_it_came(work: _Work, message: Envelope) -> Forwarded:
    desk = work.desk
    tail, opened, _ = open_envelope(desk, message.id, message.size)
    if len(opened.report.trail) >= trail.MOST_STEPS:
        raise NotForwardable("It was passed on too often already.")
    step = _step(work, (tail.sha256.hexdigest(),), rewritten=False)
    report = replace(opened.report, trail=(*opened.report.trail, step))
    source = desk.files.envelope(message.id)
    try:
        with Pulled(lambda take: desk.opener.open(source, take, most=message.size)) as stream:
            passing = Passing(tail, opened.files, stream)

            def whole() -> Report:
                passing.check()
                return report

            return _sealed(work, envelope.write(passing.parts(), whole), message.id)
    except OpeningFailed as error:
        raise CannotOpen(reasons.code_of(error)) from error
    except NotAnEnvelope as error:
        raise CannotOpen(reasons.NOT_A_REPORT) from error


def _rewritten(work: _Work, messages: Sequence[Envelope], words: str) -> Forwarded:
    digests = []
    for message in messages:
        tail, _, _ = open_envelope(work.desk, message.id, message.size)
        digests.append(tail.sha256.hexdigest())
    if len(work.first.trail) >= trail.MOST_STEPS:
        raise NotForwardable("It was passed on too often already.")
    step = _step(work, tuple(digests), rewritten=True)
    report = Report(
        text=words,
        unit=work.unit.id,
        day=today(),
        first=True,
        conversation=work.first.conversation,
        trail=(*work.first.trail, step),
        kept_from=work.first.kept_from,
    )
    no_files: list[FilePart] = []
    return _sealed(work, envelope.write(no_files, lambda: report), messages[0].id)


def _sealed(work: _Work, pieces: Iterator[bytes], original: str) -> Forwarded:
    name = new_id(forwarded=True)
    part = work.desk.files.forwarded(name).with_name(f"{name}.part")
    work.desk.sealer.seal(_Source(pieces), [work.certificate], part)
    work.desk.files.put_forwarded([(part, name)])
    item = bundle.describe(work.desk.files.forwarded(name))
    return Forwarded(name, original, item.size, item.sha256)


def _keep_document(work: _Work, forward_id: str, document: bytes) -> str:
    """Seal it for this desk, as an answer is. The fingerprint of the key that opens it: it was tried."""
    desk = work.desk
    kept = desk.cabinet.sealed_to.is_kept(work.first.conversation.identity)
    own = desk.settings.run / f"{secrets.token_hex(8)}.asc"
    part = desk.files.forwarded(forward_id).with_name(f"{forward_id}.part")
    try:
        own.write_text(desk.settings.read_case_certificate() if kept else work.unit.certificate, "ascii")
        desk.sealer.seal(io.BytesIO(document), [own], part)
        try:
            epoch = desk.opener.open(part, lambda _: None)
        except OpeningFailed as error:
            raise SealingFailed from error
        desk.files.put_forwarded([(part, forward_id)])
        return epoch
    finally:
        own.unlink(missing_ok=True)


class _Source:
    """An iterator of pieces, as the file that gpg is fed from."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def read(self, _: int, /) -> bytes:
        """The next piece that is not empty; b"" at the end."""
        return next(filter(None, self._pieces), b"")
