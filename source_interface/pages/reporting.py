"""The first report: before you start, write, and the codename once everything is durable."""

import secrets
from dataclasses import replace

from flask import Flask, Response, g, make_response, redirect, request, url_for

from common import codename
from common.days import today
from common.derivation import conversation_secrets, derive_root
from common.mailbox import SLOTS, ReplyKey
from common.registry import UnknownUnit
from common.units import Unit
from source_interface import circuits
from source_interface.house import house
from source_interface.intake import Sender
from source_interface.pages import messages
from source_interface.pages.messages import TypedMessage
from source_interface.refusals import Refused
from source_interface.render import page
from source_interface.request import small_form
from source_interface.session import Session, keep, new_session, reporter, root_of, visitor
from source_interface.visit import Visit, visit


@visitor
def start(session: Session) -> Response:
    """Before you start: GET reads it, POST begins."""
    if request.method == "GET":
        return _start_page(None)
    fields = small_form(request, session)
    if _has_unsaved_codename(session):
        return go("sent")
    untrusted_id = fields.get("unit", "")
    if not untrusted_id:
        return _start_page("Choose who your report should go to.", 422)
    try:
        unit = house().registry.current().recipient(untrusted_id)
    except UnknownUnit:
        return _start_page("Who can receive reports has changed. Look below who it is now, then choose.", 422)
    begin(unit.id)
    return go("report")


def begin(unit_id: str) -> None:
    """A new codename, in a session of its own: forms of the one before do not work with it."""
    drawn = codename.generate()
    with circuits.derivation():
        root = derive_root(drawn, house().config.pepper)
    keep(replace(new_session(), root=root, words=drawn.words, unit=unit_id))


@reporter
def report(session: Session) -> Response:
    """Write the first report: GET shows the form, POST sends it."""
    root, unit = root_of(session), _unit_of(session)

    def look() -> Visit:
        return visit(house().store, house().registry.current(), root)

    def again(typed: TypedMessage) -> Response:
        if typed.came_before and (found := look()).messages:
            return _arrived_before(session, found, typed)
        return page(
            "report.html",
            typed.status,
            slot=secrets.randbelow(SLOTS),
            unit_names=[unit.name],
            **typed.for_template(),
        )

    def sender() -> Sender:
        keys = conversation_secrets(root)
        return Sender(keys, ReplyKey(keys.reply_seed), unit)

    if request.method == "GET":
        # A first report may have arrived although its answer was lost on the way.
        return go("sent") if look().messages else again(TypedMessage())
    return messages.take(session, sender, lambda: go("sent"), again)


@reporter
def sent(session: Session) -> Response:
    """The codename, shown once the first message is durable, and until it is said to be written down."""
    if not session.words:
        return go("conversation")
    found = visit(house().store, house().registry.current(), root_of(session))
    if not found.messages:
        return go("report")
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
        **typed.for_template(),
    )


@reporter
def noted(session: Session) -> Response:
    """The codename is on paper: from now on nobody can show it again."""
    small_form(request, session)
    keep(replace(session, words=()))
    return go("conversation")


@reporter
def another(session: Session) -> Response:
    """Another matter, under a codename of its own."""
    small_form(request, session)
    if _has_unsaved_codename(session):
        return go("sent")
    units = house().registry.current().enrolled_units()
    if len(units) == 1:
        begin(units[0].id)
        return go("report")
    keep(new_session())
    return go("start")


def go(endpoint: str) -> Response:
    """See another page next."""
    return make_response(redirect(url_for(endpoint), 303))


def _start_page(error: str | None, status: int = 200) -> Response:
    registry = house().registry.current()
    units = registry.enrolled_units()
    return page(
        "start.html",
        status,
        units=[
            (unit.id, ", ".join(force.name_on(today()) for force in registry.served_by(unit, today())))
            for unit in units
        ],
        unit_names=[unit.name for unit in units],
        error=error,
    )


def _has_unsaved_codename(session: Session) -> bool:
    """A report has arrived, and its codename was never said to be written down: it must not be replaced."""
    if session.root is None or not session.words:
        return False
    return bool(visit(house().store, house().registry.current(), session.root).messages)


def _unit_of(session: Session) -> Unit:
    try:
        return house().registry.current().recipient(session.unit)
    except UnknownUnit as error:
        raise Refused("stale") from error


def add_to(app: Flask) -> None:
    """Register the pages."""
    app.add_url_rule("/start", "start", start, methods=["GET", "POST"])
    app.add_url_rule("/report", "report", report, methods=["GET", "POST"])
    app.add_url_rule("/sent", "sent", sent)
    app.add_url_rule("/noted", "noted", noted, methods=["POST"])
    app.add_url_rule("/another", "another", another, methods=["POST"])
