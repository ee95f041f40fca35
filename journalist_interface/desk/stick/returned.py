"""What came back because it was not taken: sealed again as the same answer or handover, to other places in the mailbox.

The words are not written anew: what the reporter gets is the same 8 KiB, so that it is shown once whatever arrived.
Where the unit has another reply key since, they are signed by that: else no page would show them.
"""

from dataclasses import replace

from common.conversation import reply
from common.days import today
from common.transport import forwarding, post
from journalist_interface.desk.answers.composition import (
    address,
    first_report,
    read_answer,
    reply_key,
    store_answer,
)
from journalist_interface.desk.passing_on.handover import keep_forward, read_kept
from journalist_interface.desk.rows.models import RETURNED
from journalist_interface.desk.services import Desk


def seal_answer_again(desk: Desk, answer_id: str) -> bool:
    """Seal a returned answer anew, so that it leaves with the next export. False when it is not returned.

    Raises AnswerLost, NotHere, CannotOpen, NoReplyKey, NoMoreRoom, RegistryRefused, NoCaseKey, SealingFailed or
    StickBusy.
    """
    with desk.alone():
        row = desk.cabinet.answers.get(answer_id)
        if row is None or row.state != RETURNED:
            return False
        registry, unit = desk.settings.load_registry()
        kept = read_answer(desk, answer_id)
        key = reply_key(desk, unit)
        composed = reply.sign_again(kept.composed, key)
        sealed = address(desk, registry, first_report(desk, row.conversation), composed)
        document = sealed.sign(unit, key)
        again = replace(kept, outgoing=document, composed=composed)
        epoch = store_answer(desk, unit, row.conversation, answer_id, again)
        return desk.cabinet.answers.seal_again(answer_id, sealed.slots, post.identity(document), epoch)


def seal_forward_again(desk: Desk, forward_id: str) -> bool:
    """Seal the handover of a returned passing on anew, and sign its slips anew. All of it leaves with the next export.

    False when it is not returned.

    Raises ForwardLost, NotHere, CannotOpen, NoReplyKey, NoMoreRoom, RegistryRefused, NoCaseKey, SealingFailed or
    StickBusy.
    """
    with desk.alone():
        row = desk.cabinet.forwards.get(forward_id)
        if row is None or row.state != RETURNED:
            return False
        registry, unit = desk.settings.load_registry()
        kept, key = read_kept(desk, forward_id), reply_key(desk, unit)
        composed = reply.sign_again(kept.composed, key)
        sealed = address(desk, registry, first_report(desk, row.conversation), composed)
        document = sealed.sign(unit, key)
        slips = tuple(forwarding.renew_slip(slip, today(), key) for slip in kept.forward.slips)
        again = replace(kept, forward=forwarding.Forward(slips, document), composed=composed)
        epoch = keep_forward(desk, unit, row.conversation, forward_id, again)
        return desk.cabinet.forwards.seal_again(forward_id, sealed.slots, post.identity(document), epoch)
