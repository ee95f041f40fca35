"""The list of conversations, and a conversation."""

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug import Response

from common.report.trail import SENTENCES
from journalist_interface.desk.epochs import case_keeping
from journalist_interface.desk.opening import failure_reasons
from journalist_interface.desk.opening.display import show
from journalist_interface.desk.pages import cursors
from journalist_interface.desk.rows.conversations import PAGE
from journalist_interface.desk.rows.envelopes import MOST_COUNTED
from journalist_interface.desk.rows.models import SEALED, UNREADABLE
from journalist_interface.desk.services import NotHere, desk

pages = Blueprint("conversations", __name__)

_UNREADABLE_SHOWN = 3


@pages.get("/")
def listed() -> str:
    """Conversations by their last day, newest first; `?only=unanswered` those that wait for an answer."""
    before = cursors.read_day(request.args.get("before"))
    unanswered = request.args.get("only") == "unanswered"
    cabinet = desk().cabinet
    found = cabinet.conversations.page(before, unanswered=unanswered)
    older = None
    if len(found) > PAGE:
        last = found[PAGE - 1]
        only = "unanswered" if unanswered else None
        older = url_for(".listed", before=cursors.of_day(last.last_day, last.identity), only=only)
    return render_template(
        "conversations.html",
        conversations=found[:PAGE],
        older=older,
        further=before is not None,
        unanswered=unanswered,
        unopened=cabinet.envelopes.count(SEALED),
        unreadable=cabinet.envelopes.unreadable(most=_UNREADABLE_SHOWN) if before is None else [],
        unreadable_count=cabinet.envelopes.count(UNREADABLE),
        most_counted=MOST_COUNTED,
        sentences=failure_reasons.SENTENCES,
    )


@pages.get("/conversations/<identity>")
def shown(identity: str) -> str:
    """A conversation's newest messages and answers, or those before a place."""
    conversation = desk().cabinet.conversations.get(identity)
    if conversation is None:
        raise NotHere
    before = cursors.read_place(request.args.get("before"))
    places, more = desk().cabinet.conversations.places(identity, before)
    messages = [place.id for place in places if not place.is_answer]
    return render_template(
        "conversation.html",
        conversation=conversation,
        entries=show(desk(), places),
        older=url_for(".shown", identity=identity, before=cursors.of_place(places[0])) if more else None,
        further=before is not None,
        handled=desk().cabinet.envelopes.handled(messages),
        forwards=desk().cabinet.forwards.of(identity),
        reasons=SENTENCES,
        unit_id=desk().settings.unit,
        kept=desk().cabinet.sealed_to.is_kept(identity),
        text="",
    )


@pages.post("/conversations/<identity>/keep")
def keep(identity: str) -> Response:
    """Re-seal a conversation to the unit's case key."""
    case_keeping.keep(desk(), identity)
    return redirect(url_for(".shown", identity=identity, _anchor="keep"), 303)
