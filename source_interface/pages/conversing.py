"""Coming back: in by codename, read, write again, withdraw, delete, leave."""

from dataclasses import replace

from flask import Flask, Response, g, request

from common import codename
from common.codename import NotACodename
from common.derivation import Busy, conversation_secrets, derive_root
from common.mailbox import SLOTS, ReplyKey, deleted_mark, second_slot, tags
from common.registry import Registry, UnknownUnit
from common.units import Unit
from source_interface import circuits
from source_interface.house import house
from source_interface.intake import Sender
from source_interface.pages import messages
from source_interface.pages.messages import TypedMessage, slot_number
from source_interface.pages.reporting import go
from source_interface.refusals import Refused
from source_interface.render import page
from source_interface.request import small_form
from source_interface.session import Session, end, keep, new_session, reporter, root_of, visitor
from source_interface.visit import Visit, holder_of, visit


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

    def sender() -> Sender:
        registry = house().registry.current()
        keys = conversation_secrets(root_of(session))
        reply_key = ReplyKey(keys.reply_seed)
        holder = holder_of(house().store, registry, keys, reply_key)
        if holder and holder.recipients:
            return Sender(keys, reply_key, holder.recipients, header_since=holder.since)
        if holder:
            recipients = _chosen_again(session)
        else:
            recipients = _chosen(session) if session.unit else (default_unit(registry),)
        if not recipients:
            raise Refused("unrouted")
        return Sender(keys, reply_key, recipients, kept_from=session.kept_from)

    def taken() -> Response:
        keep(replace(session, notice="sent", kept_from="", again=False))
        return go("sent" if session.words else "conversation")

    return messages.take(session, sender, taken, lambda typed: _conversation_page(session, typed))


@reporter
def withdraw(session: Session) -> Response:
    """Withdraw a message that is not collected, after asking once more."""
    fields = small_form(request, session)
    slot = slot_number(fields.get("slot", ""))
    found = _look(session)
    if fields.get("confirm") != "1":
        for message in found.messages:
            if message.slot == slot and not message.collected:
                return page("withdraw.html", slot=slot, day=message.day, twice=message.second is not None)
        keep(replace(session, notice="too late"))
        return go("conversation")
    of_receipt = tags(found.secrets.receipt_key)
    there = next((message for message in found.messages if message.slot == slot), None)
    withdrawn = [house().store.withdraw(of_receipt[copy]) for copy in (slot, second_slot(slot))]
    partly = there is not None and True in (there.first, there.second)
    notice = ("withdrawn in part" if partly else "withdrawn") if any(withdrawn) else "too late"
    keep(replace(session, notice=notice))
    return go("conversation")


@reporter
def delete_answer(session: Session) -> Response:
    """Delete an answer, from every slot that it lies in."""
    slot = slot_number(small_form(request, session).get("answer", ""), SLOTS)
    found = _look(session)
    for answer in found.answers:
        for copy in answer.slots if slot in answer.slots else ():
            tag = tags(found.secrets.mailbox_key)[copy]
            house().store.delete_reply(tag, deleted_mark(found.secrets.header_key, tag))
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
    found = _look(session)
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
        handed_to=found.handed_to,
        handed_by=found.handed_by,
        copy_to=found.copy_to,
        lost=found.lost,
        chosen=[unit.name for unit in _chosen_again(session)],
        can_write=slot is not None,
        slot=slot,
        contact_to=found.contact_to,
        choose_again=typed.refused is not None and typed.refused.code == "unrouted",
        **typed.for_template(),
    )


def _look(session: Session) -> Visit:
    return visit(house().store, house().registry.current(), root_of(session))


def has_lost_its_holder(session: Session) -> bool:
    """A genuine header names somebody to whom nothing may be sealed now. False for a codename that was never used."""
    keys = conversation_secrets(root_of(session))
    holder = holder_of(house().store, house().registry.current(), keys, ReplyKey(keys.reply_seed))
    return holder is not None and not holder.recipients


def _chosen(session: Session) -> tuple[Unit, ...]:
    """Who was chosen in this visit: all of them, and never another in their place; otherwise nobody."""
    registry = house().registry.current()
    try:
        return tuple(registry.recipient(chosen) for chosen in (session.unit, session.second) if chosen)
    except UnknownUnit:
        return ()


def _chosen_again(session: Session) -> tuple[Unit, ...]:
    """The same for a conversation that has lost its holder: only who was chosen since, never who had it at first."""
    return _chosen(session) if session.again else ()


def default_unit(registry: Registry) -> Unit:
    """Who receives what nobody was chosen for: what is written under a codename that was never used, or long ago."""
    units = registry.enrolled_units()
    return units[0] if len(units) == 1 else registry.desk


def add_to(app: Flask) -> None:
    """Register the pages."""
    app.add_url_rule("/return", "come_back", come_back, methods=["GET", "POST"])
    app.add_url_rule("/conversation", "conversation", conversation)
    app.add_url_rule("/conversation/write", "write_again", write_again, methods=["POST"])
    app.add_url_rule("/withdraw", "withdraw", withdraw, methods=["POST"])
    app.add_url_rule("/answer/delete", "delete_answer", delete_answer, methods=["POST"])
    app.add_url_rule("/leave", "leave", leave, methods=["POST"])
