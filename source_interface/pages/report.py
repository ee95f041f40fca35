"""The first report: before you start, write, and the codename once everything is durable."""

import secrets
from dataclasses import dataclass, replace

from flask import Blueprint, Response, g, make_response, redirect, request, url_for

from common.conversation import codename
from common.conversation.derivation import derive_root
from common.conversation.destination import Destination
from common.conversation.mailbox import MESSAGE_SLOTS
from common.days import today
from common.report.routing import Answers, route
from source_interface import circuits
from source_interface.conversation.keys import Keys
from source_interface.conversation.visit import Visit, visit
from source_interface.intake.message import Sender
from source_interface.pages import messages
from source_interface.pages.messages import TypedMessage
from source_interface.render import page
from source_interface.request import small_form
from source_interface.routing import questions
from source_interface.routing.addressees import of_first_report, of_next
from source_interface.services import services
from source_interface.session import Session, keep, new_session, reporter, root_of, visitor

pages = Blueprint("report", __name__)


@pages.get("/start")
@visitor
def start(_session: Session) -> Response:
    """Before you start. Where there is one force, what would be asked next is asked here."""
    return page("start.html", only=only_way(), asked={}, wrong={})


def begin(destination: Destination) -> None:
    """A new codename, in a session of its own: forms of the one before do not work with it."""
    drawn = codename.generate()
    with circuits.derivation():
        root = derive_root(drawn, services().config.pepper)
    keep(replace(new_session(), root=root, words=drawn.words, destination=destination))


@pages.route("/report", methods=["GET", "POST"])
@reporter
def report(session: Session) -> Response:
    """Write the first report: GET shows the form, POST sends it."""
    keys = Keys(root_of(session))

    def again(typed: TypedMessage) -> Response:
        found = look(keys)
        to = of_first_report(session, services().registry.current(), found)
        if found.messages and typed.came_before:
            return _arrived_before(session, found, typed)
        if found.messages and request.method == "GET":  # although its answer was lost on the way
            return go("report.sent")
        return page(
            "report.html",
            typed.status,
            slot=secrets.randbelow(MESSAGE_SLOTS),
            addressees=to,
            **typed.for_template(),
        )

    def sender(untrusted_word: str) -> Sender:
        found = look(keys)
        return of_first_report(session, services().registry.current(), found).check_word(untrusted_word)

    if request.method == "GET":
        return again(TypedMessage())
    return messages.take(session, sender, lambda: go("report.sent"), again)


@pages.get("/sent")
@reporter
def sent(session: Session) -> Response:
    """The codename, shown once the first message is durable, and until it is said to be written down."""
    if not session.words:
        return go("conversation.conversation")
    found = look(Keys(root_of(session)))
    if not found.messages:
        return go("report.report")
    return page("sent.html", words=session.words, received_day=found.messages[0].day)


def _arrived_before(session: Session, found: Visit, typed: TypedMessage) -> Response:
    """The codename, where it is not noted yet, and the words: they may have been changed since they arrived."""
    g.notice = "sent before"
    return page(
        "sent.html",
        typed.status,
        words=session.words,
        received_day=found.messages[0].day,
        came_before=True,
        slot=found.free_slot(),
        addressees=of_next(session, services().registry.current(), found),
        **typed.for_template(),
    )


@pages.post("/noted")
@reporter
def noted(session: Session) -> Response:
    """The codename is on paper: from now on nobody can show it again."""
    small_form(request, session)
    keep(replace(session, words=(), destination=session.destination.unsaid))
    return go("conversation.conversation")


@pages.post("/another")
@reporter
def another(session: Session) -> Response:
    """Another matter, under a codename of its own."""
    small_form(request, session)
    if has_unsaved_codename(session):
        return go("report.sent")
    keep(new_session())
    return go("routing.routing")


def go(endpoint: str) -> Response:
    """See another page next."""
    return make_response(redirect(url_for(endpoint), 303))


def look(keys: Keys) -> Visit:
    """What a codename opens."""
    return visit(services().store, services().registry.current(), keys)


@dataclass(frozen=True)
class OnlyWay:
    """Where there is one force, and its unit can receive reports: who gets them, if nothing speaks against it."""

    force: str
    holders: str  # ids, as a form carries them
    names: tuple[str, ...]


def only_way() -> OnlyWay | None:
    """The only way that there is, so that nobody is asked which."""
    registry = services().registry.current()
    force = questions.only_force(registry, today())
    if force is None:
        return None
    found = route(Answers(frozenset({force.id})), today(), registry)
    ids, names = [unit.id for unit in found.units], tuple(unit.name for unit in found.units)
    return OnlyWay(force.id, " ".join(ids), names)


def has_unsaved_codename(session: Session) -> bool:
    """A report has arrived, and its codename was never said to be written down: it must not be replaced."""
    if session.root is None or not session.words:
        return False
    return bool(look(Keys(session.root)).messages)
