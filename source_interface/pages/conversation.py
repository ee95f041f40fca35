"""Coming back: in by codename, read, write again, withdraw, delete, leave."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from flask import Blueprint, Response, g, request

from common.conversation import codename
from common.conversation.codename import NotACodename
from common.conversation.derivation import Busy, derive_root
from common.conversation.header import compose_deleted
from common.conversation.mailbox import SLOTS, seal, second_slot
from common.registry.registry import Registry
from common.store.values import State as Kept
from common.store.values import Withdrawal
from source_interface import circuits
from source_interface.conversation.answer_pages import paginate
from source_interface.conversation.holding import known
from source_interface.conversation.keys import Keys
from source_interface.conversation.visit import WAITING, Message
from source_interface.intake.message import Sender
from source_interface.pages import messages
from source_interface.pages.messages import TypedMessage, slot_number
from source_interface.pages.report import go, look
from source_interface.refusals import Refused
from source_interface.render import page
from source_interface.request import small_form
from source_interface.routing.addressees import of_next
from source_interface.services import services
from source_interface.session import Session, end, keep, new_session, reporter, root_of, visitor

pages = Blueprint("conversation", __name__)

_SENT_ON_FIRST_PAGE, _SENT_ON_A_PAGE = 3, 20  # messages: each takes up to 800 bytes
_MOST_NAMED = 3  # of those that a holder may name as many as it likes
_FIRST_COPY, _SECOND_COPY = "the first copy", "the copy for the oversight body"


@pages.route("/return", methods=["GET", "POST"])
@visitor
def come_back(session: Session) -> Response:
    """GET asks for the codename; POST opens its conversation, used before or not."""
    if request.method == "GET":
        return page("return.html", codename="", error=None, error_words=[])
    untrusted_codename = small_form(request, session).get("codename", "")
    try:
        read = codename.read(untrusted_codename)
        with circuits.derivation():
            root = derive_root(read, services().config.pepper)
    except NotACodename as problem:
        return _ask_again(untrusted_codename, str(problem), problem.positions, 422)
    except (Busy, Refused) as error:
        refused = error if isinstance(error, Refused) else Refused("busy")
        sentence = refused.sentence(services().config.limits)
        return _ask_again(untrusted_codename, sentence, (), refused.reason.status)
    keep(replace(new_session(), root=root, corrected=read.corrected))
    return go("conversation.conversation")


def _ask_again(typed: str, error: str, positions: tuple[int, ...], status: int) -> Response:
    return page(
        "return.html",
        status,
        codename=typed[: codename.LONGEST_TYPED],
        error=error,
        error_words=list(positions),
    )


@pages.get("/conversation")
@reporter
def conversation(session: Session) -> Response:
    """Answers, what was sent, and the form to add something."""
    response = _conversation_page(session, Keys(root_of(session)), TypedMessage())
    keep(replace(session, corrected=()))
    return response


@pages.get("/conversation/answers/<int(max=999):number>")
@reporter
def more_answers(session: Session, number: int) -> Response:
    """A further page of answers."""
    pages = paginate(look(Keys(root_of(session))).answers)
    if not 1 < number <= len(pages):
        return go("conversation.conversation")
    return page("answers.html", pieces=pages[number - 1], number=number, pages=len(pages))


@pages.get("/conversation/sent/<int(max=999):number>")
@reporter
def more_sent(session: Session, number: int) -> Response:
    """A further page of what was sent."""
    pages = _pages_of(look(Keys(root_of(session))).messages)
    if not 1 < number <= len(pages):
        return go("conversation.conversation")
    return page("sent_before.html", messages=pages[number - 1], sent_number=number, sent_pages=len(pages))


def _pages_of(messages: Sequence[Message]) -> list[Sequence[Message]]:
    """What was sent, in pages; the first one is there even where there is nothing."""
    rest = range(_SENT_ON_FIRST_PAGE, len(messages), _SENT_ON_A_PAGE)
    return [messages[:_SENT_ON_FIRST_PAGE], *(messages[begin : begin + _SENT_ON_A_PAGE] for begin in rest)]


@pages.post("/conversation/write")
@reporter
def write_again(session: Session) -> Response:
    """A later message of the same conversation."""
    keys = Keys(root_of(session))

    def sender(untrusted_word: str) -> Sender:
        found = look(keys)
        return of_next(session, services().registry.current(), found).check_word(untrusted_word)

    def taken() -> Response:
        keep(replace(session, notice="sent", destination=session.destination.unsaid, again=False))
        return go("report.sent" if session.words else "conversation.conversation")

    return messages.take(session, sender, taken, lambda typed: _conversation_page(session, keys, typed))


@pages.post("/withdraw")
@reporter
def withdraw(session: Session) -> Response:
    """Withdraw a message that no unit has said to hold, after asking once more."""
    fields = small_form(request, session)
    slot = slot_number(fields.get("slot", ""))
    found = look(Keys(root_of(session)))
    if fields.get("confirm") != "1":
        for message in found.messages:
            if message.slot == slot and message.can_be_withdrawn:
                return _ask_before_withdrawing(message)
        keep(replace(session, notice="too late"))
        return go("conversation.conversation")
    there = next((message for message in found.messages if message.slot == slot), None)
    done = [services().store.withdraw(found.keys.receipt_tags[copy]) for copy in (slot, second_slot(slot))]
    keep(replace(session, notice=_withdrawn(there, done)))
    return go("conversation.conversation")


def _withdrawn(there: Message | None, done: list[Withdrawal | None]) -> str:
    """What is said of it: that it is deleted, or will be, or in part, or not at all."""
    if not any(done):
        return "too late"
    if there is not None and Kept.HELD in {copy.state for copy in (there.first, there.second) if copy}:
        return "withdrawn in part"
    return "withdrawn later" if Withdrawal.LATER in done else "withdrawn"


def _ask_before_withdrawing(message: Message) -> Response:
    """What is deleted, and when; and where one of two copies is held, which that is."""
    copies = {_FIRST_COPY: message.first, _SECOND_COPY: message.second}
    stays = [name for name, copy in copies.items() if copy and copy.state is Kept.HELD]
    goes = [name for name, copy in copies.items() if copy and copy.state in WAITING]
    return page(
        "withdraw.html",
        slot=message.slot,
        day=message.day,
        twice=len(goes) == len(copies),
        goes=goes[0] if stays else None,
        stays=stays[0] if stays else None,
        listed=any(copy and copy.state is Kept.LISTED for copy in copies.values()),
    )


@pages.post("/answer/delete")
@reporter
def delete_answer(session: Session) -> Response:
    """Delete an answer, from every slot that it lies in. What is left there looks like any other."""
    slot = slot_number(small_form(request, session).get("answer", ""), SLOTS)
    keys = Keys(root_of(session))
    found, public = look(keys), keys.reply_key.public()
    for answer in found.answers:
        for copy in answer.slots if slot in answer.slots else ():
            left = compose_deleted(answer.deleted, keys.secrets.header_key)
            services().store.overwrite_reply(keys.reply_tags[copy], seal(left, public))
    keep(replace(session, notice="deleted"))
    return go("conversation.conversation")


@pages.post("/leave")
@visitor
def leave(session: Session) -> Response:
    """End the session, and ask the browser to forget what it holds of this site."""
    small_form(request, session)
    end()
    response = page("left.html")
    response.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'
    return response


def _conversation_page(session: Session, keys: Keys, typed: TypedMessage) -> Response:
    """The same for a codename that was never used as for one with no news."""
    registry = services().registry.current()
    found = look(keys)
    to = of_next(session, registry, found)
    slot = found.free_slot()
    pages, sent = paginate(found.answers), _pages_of(found.messages)
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
        pieces=pages[0],
        number=1,
        pages=len(pages),
        gaps=found.gaps,
        messages=sent[0],
        sent_number=1,
        sent_pages=len(sent),
        held=found.holding,
        names=partial(_names, registry),
        most_named=_MOST_NAMED,
        can_write=slot is not None,
        slot=slot,
        addressees=to,
        **typed.for_template(),
    )


def _names(registry: Registry, ids: Sequence[str], most: int | None = None) -> list[str]:
    """What units are called, each once; of more than `most` that many, and that there are others."""
    units = (known(registry, unit_id) for unit_id in ids)
    names = list(dict.fromkeys(unit.name if unit else "one that is no longer here" for unit in units))
    return names if most is None or len(names) <= most else [*names[:most], "others"]
