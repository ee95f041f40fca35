"""Passing a conversation on: sealed anew to another unit, with its trail, and a handover for its mailbox.

The new envelopes have the same conversation keys, so that the next holder can answer. The original stays sealed here
as it came; of a rewritten version nothing but the new words goes. Where the registry gives the next holder a second
seal, that gets a copy of all that goes: so the two can hold what they got against each other.
"""

import io
import secrets
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from common import canonical
from common.canonical import NotCanonical
from common.conversation import reply
from common.conversation.reply import Handover, Reply
from common.days import today
from common.gpg.opening import OpeningFailed
from common.gpg.sealing import SealingFailed
from common.registry.registry import Registry
from common.registry.units import Unit, UnitKind
from common.report.padding import REPLY_PLAINTEXT_BYTES
from common.report.routing import kept_from_units
from common.report.trail import Why
from common.transport import forwarding, post
from common.transport.forwarding import Slip
from journalist_interface.desk.answers.composition import (
    AnswerLost,
    address,
    first_report,
    read_answer,
    reply_key,
    used_slots,
)
from journalist_interface.desk.opening import facts
from journalist_interface.desk.opening.oversight import check_ours
from journalist_interface.desk.passing_on.resealing import NotForwardable, Resealing
from journalist_interface.desk.rows.envelopes import Envelope
from journalist_interface.desk.rows.forwards import Forward
from journalist_interface.desk.rows.models import WAITING
from journalist_interface.desk.services import Desk, NotHere

_KEEP_FREE = 256 * 1024 * 1024


class ForwardLost(Exception):
    """What was passed on does not open, or is gone from this desk's disk. It was not exported."""


@dataclass(frozen=True)
class KeptForward:
    """What a passing on's file holds: what leaves, and the 8 KiB of its handover, should it have to be sealed again."""

    forward: forwarding.Forward
    composed: bytes = field(repr=False)


@dataclass(frozen=True)
class Choice:
    """What a reviewer decides. `rewritten`: the words that go instead of the original; None: it goes as it came.

    `despite`: also to a unit that serves a force which must not see it, or to any where units may be involved.
    """

    receiver: str
    why: Why
    rewritten: str | None = None
    despite: bool = False


class KeptFrom(NotForwardable):
    """That unit serves a force that the reporter wanted kept from it. Nothing was sealed."""


class MayBeInvolved(KeptFrom):
    """The reporter said that units are or might be involved: choose an oversight body. Nothing was sealed."""


def receivers(
    desk: Desk, registry: Registry, unit: Unit, identity: str, had_it: frozenset[str]
) -> list[Unit]:
    """To whom a conversation may go: all who are enrolled, but those who had it before. By kind and name.

    Where it was passed on already, later messages go to the same unit, as long as that is enrolled: the reporter is
    shown one holder.
    """
    found = [one for one in registry.units if one.is_enrolled and one.id not in (unit.id, *had_it)]
    has = {one.receiver for one in desk.cabinet.forwards.standing(identity)}
    again = [one for one in found if one.id in has]
    return sorted(again or found, key=lambda one: (one.kind, one.name))


def forward(desk: Desk, identity: str, forward_id: str, choice: Choice) -> bool:
    """Seal a conversation to another unit, and keep that until it is exported. False when it was done before.

    Raises CopyOnly, KeptFrom, NotForwardable, Changed, NotHere, CannotOpen, WrongFile, NoReplyKey, NoMoreRoom,
    RegistryRefused, NoCaseKey, SealingFailed or StickBusy. Nothing is kept then.
    """
    with desk.alone():
        if desk.cabinet.forwards.get(forward_id) is not None:
            return False
        desk.files.clear_forwarded(desk.cabinet.forwards.files())
        check_ours(desk.cabinet.conversations.get(identity))
        registry, unit = desk.settings.load_registry()
        first = first_report(desk, identity)
        said = facts.of_conversation(desk, registry, identity)
        possible = receivers(desk, registry, unit, identity, said.gave_it_away)
        receiver = _receiver(possible, choice.receiver)
        barred = kept_from_units(registry, today(), said.forces)
        if receiver.id in barred and not choice.despite:
            raise KeptFrom(str(KeptFrom.__doc__))
        if said.involved and receiver.kind is UnitKind.UNIT and not choice.despite:
            raise MayBeInvolved(str(MayBeInvolved.__doc__))
        messages = _messages(desk, identity, choice)
        work = Resealing(
            desk=desk,
            unit=unit,
            receivers=(receiver, *second_seal(registry, unit, receiver, barred | said.gave_it_away)),
            why=choice.why,
            key=reply_key(desk, unit),
            first=first,
            registry=registry,
            links=said.links,
            kept_from=facts.as_one(said.forces),
            involved=said.involved,
            used=used_slots(desk, registry, first),
        )
        try:
            return _forward(work, forward_id, messages, choice.rewritten)
        finally:
            desk.files.clear_forwarded(desk.cabinet.forwards.files())


def second_seal(registry: Registry, unit: Unit, receiver: Unit, barred: frozenset[str]) -> tuple[Unit, ...]:
    """Who gets a copy of what goes to a receiver: its second seal, where it is enrolled and not this unit itself.

    Never one that is `barred`: it serves a force that must not see it, as an overseer may, or gave it away itself.
    """
    if receiver.second_seal in (None, unit.id, receiver.id) or receiver.second_seal in barred:
        return ()
    return tuple(one for one in registry.units if one.id == receiver.second_seal and one.is_enrolled)


def document_of(desk: Desk, forward_id: str) -> bytes:
    """The slips and the handover of a passing on, as they leave. Raises ForwardLost."""
    return forwarding.dump(read_kept(desk, forward_id).forward)


def read_kept(desk: Desk, forward_id: str) -> KeptForward:
    """A passing on out of its sealed file. Raises ForwardLost."""
    content = bytearray()
    try:
        desk.opener.open(
            desk.files.forwarded(forward_id), content.extend, most=2 * forwarding.MOST_BYTES, ask=True
        )
        document = canonical.load(bytes(content))
        forward = forwarding.load(canonical.octets(document, "forward"))
        return KeptForward(forward, canonical.octets(document, "composed", REPLY_PLAINTEXT_BYTES))
    except (OpeningFailed, NotCanonical) as error:
        raise ForwardLost from error


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


def _forward(work: Resealing, forward_id: str, messages: Sequence[Envelope], rewritten: str | None) -> bool:
    desk, day, receiver = work.desk, today(), work.receivers[0]
    identity = work.first.conversation.identity
    answers = desk.cabinet.answers.of_conversation(identity)
    handover = Handover(
        *(secrets.token_hex(16), work.unit.id, receiver.id, day, work.links, _standing(work, answers)),
        copy_to="".join(one.id for one in work.receivers[1:]),  # there is one, or none
        rewritten=rewritten is not None,
    )
    composed = reply.compose_handover(handover, identity, work.key)
    sealed = address(desk, work.registry, work.first, composed)
    signed = sealed.sign(work.unit, work.key)
    work = replace(work, used=work.used | frozenset(sealed.slots))
    if rewritten is None:
        resealed = [one for message in messages for one in work.as_it_came(message)]
    else:
        resealed = work.rewritten(messages, rewritten)
    slips = tuple(
        forwarding.sign_slip(
            Slip(one.made.id, work.unit.id, one.to.id, day, one.made.size, one.made.sha256), work.key
        )
        for one in resealed
    )
    kept = KeptForward(forwarding.Forward(slips, signed), composed)
    epoch = keep_forward(desk, work.unit, identity, forward_id, kept)
    row = Forward(
        *(
            forward_id,
            identity,
            receiver.id,
            work.why.value,
            rewritten is not None,
            day,
            WAITING,
            None,
            post.identity(signed),
        )
    )
    made, originals = [one.made for one in resealed], [message.id for message in messages]
    return desk.cabinet.forwards.add(row, sealed.slots, made, originals, answers, epoch)


def _standing(work: Resealing, answers: Iterable[str]) -> frozenset[str]:
    """What the handover calls the answers of this desk: those that open, since no other can have been exported."""
    identity, found = work.first.conversation.identity, set()
    for answer_id in answers:
        row = work.desk.cabinet.answers.get(answer_id)
        with suppress(AnswerLost):
            text = read_answer(work.desk, answer_id).text
            if row is not None:
                found.add(reply.digest(Reply(row.id, work.unit.id, row.day, row.number, text), identity))
    return frozenset(found)


def keep_forward(desk: Desk, unit: Unit, conversation: str, forward_id: str, kept: KeptForward) -> str:
    """Seal it for this desk, as an answer is. The fingerprint of the key that opens it: it was tried.

    Raises NoCaseKey, SealingFailed.
    """
    forward, composed = canonical.encode(forwarding.dump(kept.forward)), canonical.encode(kept.composed)
    document = canonical.dump({"forward": forward, "composed": composed})
    is_kept = desk.cabinet.sealed_to.is_kept(conversation)
    part = desk.files.forwarded(forward_id).with_name(f"{forward_id}.part")
    recipient = desk.settings.read_case_certificate() if is_kept else unit.certificate
    desk.sealer.seal(io.BytesIO(document), [recipient.encode("ascii")], part)
    try:
        epoch = desk.opener.open(part, lambda _: None, ask=True)
    except OpeningFailed as error:
        raise SealingFailed from error
    desk.files.put_forwarded([(part, forward_id)])
    return epoch
