"""Coming back: in by codename, read, write again, withdraw, delete, leave."""

import os
from dataclasses import dataclass, replace

from flask import Flask, Response, g, request

from common import codename
from common.codename import NotACodename
from common.derivation import Busy, derive_root
from common.mailbox import SLOTS, deleted_mark, second_slot, tags
from common.padding import REPLY_CIPHERTEXT_BYTES
from common.registry import Registry
from source_interface import circuits
from source_interface.addressees import of_next
from source_interface.holding import known
from source_interface.house import house
from source_interface.intake import Sender
from source_interface.pages import messages
from source_interface.pages.messages import TypedMessage, slot_number
from source_interface.pages.reporting import go
from source_interface.refusals import Refused
from source_interface.render import page
from source_interface.request import small_form
from source_interface.session import Session, end, keep, new_session, reporter, root_of, visitor
from source_interface.visit import Message, Visit, visit

_FIRST_COPY, _SECOND_COPY = "the first copy", "the copy for the oversight body"


@visitor
def come_back(session: Session) -> Response:
    """GET asks for the codename; POST opens its conversation, used before or not."""
    if request.method == "GET":
        return page("return.html", codename="", error=None, error_words=[])
    untrusted_codename = small_form(request, session).get("codename", "")
    try:
        read = codename.read(untrusted_codename)
        with circuits.derivation():
            root = derive_root(read, house().config.pepper)
    except NotACodename as problem:
        return _ask_again(untrusted_codename, str(problem), problem.positions, 422)
    except (Busy, Refused) as error:
        refused = error if isinstance(error, Refused) else Refused("busy")
        sentence = refused.sentence(house().config.limits)
        return _ask_again(untrusted_codename, sentence, (), refused.reason.status)
    keep(replace(new_session(), root=root, corrected=read.corrected))
    return go("conversation")


def _ask_again(typed: str, error: str, positions: tuple[int, ...], status: int) -> Response:
    return page(
        "return.html",
        status,
        codename=typed[: codename.LONGEST_TYPED],
        error=error,
        error_words=list(positions),
    )


@reporter
def conversation(session: Session) -> Response:
    """Answers, what was sent, and the form to add something."""
    response = _conversation_page(session, TypedMessage())
    keep(replace(session, corrected=()))
    return response


@reporter
def write_again(session: Session) -> Response:
    """A later message of the same conversation."""

    def sender(untrusted_word: str) -> Sender:
        found = look(session)
        return of_next(session, house().registry.current(), found).sender(found, untrusted_word)

    def taken() -> Response:
        keep(replace(session, notice="sent", kept_from="", involved=False, again=False))
        return go("sent" if session.words else "conversation")

    return messages.take(session, sender, taken, lambda typed: _conversation_page(session, typed))


@reporter
def withdraw(session: Session) -> Response:
    """Withdraw a message that is not collected, after asking once more."""
    fields = small_form(request, session)
    slot = slot_number(fields.get("slot", ""))
    found = look(session)
    if fields.get("confirm") != "1":
        for message in found.messages:
            if message.slot == slot and not message.collected:
                return _ask_before_withdrawing(message)
        keep(replace(session, notice="too late"))
        return go("conversation")
    of_receipt = tags(found.secrets.receipt_key)
    there = next((message for message in found.messages if message.slot == slot), None)
    withdrawn = [house().store.withdraw(of_receipt[copy]) for copy in (slot, second_slot(slot))]
    partly = there is not None and True in (there.first, there.second)
    notice = ("withdrawn in part" if partly else "withdrawn") if any(withdrawn) else "too late"
    keep(replace(session, notice=notice))
    return go("conversation")


def _ask_before_withdrawing(message: Message) -> Response:
    """What is deleted; and where one of two copies was collected, which that is."""
    copies = {_FIRST_COPY: message.first, _SECOND_COPY: message.second}
    stays = [name for name, collected in copies.items() if collected]
    goes = [name for name, collected in copies.items() if collected is False]
    return page(
        "withdraw.html",
        slot=message.slot,
        day=message.day,
        twice=len(goes) == len(copies),
        goes=goes[0] if stays else None,
        stays=stays[0] if stays else None,
    )


@reporter
def delete_answer(session: Session) -> Response:
    """Delete an answer, from every slot that it lies in."""
    slot = slot_number(small_form(request, session).get("answer", ""), SLOTS)
    found = look(session)
    for answer in found.answers:
        for copy in answer.slots if slot in answer.slots else ():
            tag = tags(found.secrets.mailbox_key)[copy]
            mark = deleted_mark(found.secrets.header_key, tag)
            house().store.overwrite_reply(tag, mark + os.urandom(REPLY_CIPHERTEXT_BYTES - len(mark)))
    keep(replace(session, notice="deleted"))
    return go("conversation")


@visitor
def leave(session: Session) -> Response:
    """End the session, and ask the browser to forget what it holds of this site."""
    small_form(request, session)
    end()
    response = page("left.html")
    response.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'
    return response


def _conversation_page(session: Session, typed: TypedMessage) -> Response:
    """The same for a codename that was never used as for one with no news, form included."""
    registry = house().registry.current()
    found = look(session)
    to = of_next(session, registry, found)
    slot = found.free_slot()
    if slot is None and (typed.text or typed.contact):
        raise Refused("full")
    if typed.came_before:
        g.notice = "sent before"
    return page(
        "conversation.html",
        typed.status,
        corrected=session.corrected or None,
        unsaved=bool(session.words),
        answers=found.answers,
        messages=found.messages,
        held=_in_names(found, registry),
        lost=found.lost,
        despite=found.despite,
        despite_involved=found.despite_involved,
        without_copy=found.without_copy,
        can_write=slot is not None,
        slot=slot,
        addressees=to,
        **typed.for_template(),
    )


def look(session: Session) -> Visit:
    """What the session's codename opens."""
    return visit(house().store, house().registry.current(), root_of(session))


@dataclass(frozen=True)
class _Names:
    """Who has a conversation, by name: `now`, `by` whom it was passed on, and whose word on that is `in_doubt`.

    `copies`: who got one as well, then, whoever would today; `rewritten`: it did not go as it was written.
    """

    now: str | None
    by: tuple[str, ...]
    in_doubt: str | None
    copies: tuple[str, ...]
    rewritten: bool


def _in_names(found: Visit, registry: Registry) -> _Names | None:
    """The holders of a conversation that was passed on; of any other nothing is said."""
    held = found.held
    if held is None or not (held.before or held.in_doubt):
        return None

    def names(ids: tuple[str, ...]) -> tuple[str, ...]:
        units = (known(registry, unit_id) for unit_id in ids)
        return tuple(unit.name if unit else "one that is no longer here" for unit in units)

    return _Names(
        now=held.holder.name if held.holder else None,
        by=names(held.before),
        in_doubt=held.in_doubt.name if held.in_doubt else None,
        copies=tuple(dict.fromkeys(names(held.copies))),
        rewritten=held.rewritten,
    )


def add_to(app: Flask) -> None:
    """Register the pages."""
    app.add_url_rule("/return", "come_back", come_back, methods=["GET", "POST"])
    app.add_url_rule("/conversation", "conversation", conversation)
    app.add_url_rule("/conversation/write", "write_again", write_again, methods=["POST"])
    app.add_url_rule("/withdraw", "withdraw", withdraw, methods=["POST"])
    app.add_url_rule("/answer/delete", "delete_answer", delete_answer, methods=["POST"])
    app.add_url_rule("/leave", "leave", leave, methods=["POST"])
