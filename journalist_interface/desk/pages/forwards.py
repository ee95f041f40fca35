"""Passing a conversation on to another unit: chosen, sealed; taken back, or exported again."""

import re
import secrets

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug import Response

from common.days import today
from common.registry.units import UnitKind
from common.report.report import INVOLVED, clean_text
from common.report.routing import kept_from_units
from common.report.trail import SENTENCES, Why
from journalist_interface.desk.opening import facts
from journalist_interface.desk.passing_on import handover
from journalist_interface.desk.passing_on.handover import Choice, KeptFrom
from journalist_interface.desk.rows.conversations import Conversation
from journalist_interface.desk.rows.forwards import Forward
from journalist_interface.desk.services import NotHere, desk
from journalist_interface.desk.stick import returned

pages = Blueprint("forwards", __name__)

_ID = re.compile(r"[0-9a-f]{32}")
_VERSIONS = ("original", "rewritten")
_INCOMPLETE = "Say to whom it goes, why, and whether it goes as it came. Nothing was sealed."
_NO_WORDS = "There are no words in the rewritten report yet. Nothing was sealed."


@pages.get("/conversations/<identity>/forward")
def choose(identity: str) -> str:
    """To whom, why, and what."""
    return _page(_conversation(identity), None)


@pages.post("/conversations/<identity>/forward")
def forward(identity: str) -> str | Response:
    """Seal it to the unit that was chosen. The same form twice is one passing on."""
    conversation = _conversation(identity)
    forward_id, receiver = request.form.get("forward", ""), request.form.get("receiver", "")
    version, text = request.form.get("version", ""), clean_text(request.form.get("text", "")).strip()
    if not _ID.fullmatch(forward_id):
        abort(400)
    try:
        why = Why(request.form.get("why", ""))
    except ValueError:
        return _page(conversation, _INCOMPLETE)
    if not receiver or version not in _VERSIONS:
        return _page(conversation, _INCOMPLETE)
    if version == "rewritten" and not text:
        return _page(conversation, _NO_WORDS)
    words = text if version == "rewritten" else None
    choice = Choice(receiver, why, words, despite=request.form.get("despite") == "1")
    try:
        handover.forward(desk(), identity, forward_id, choice)
    except KeptFrom as problem:
        return _page(conversation, str(problem))
    return _to(identity, forward_id)


@pages.post("/forwards/<forward_id>/take-back")
def take_back(forward_id: str) -> Response:
    """Undo a passing on that has not left the desk."""
    found = _forward(forward_id)
    handover.take_back(desk(), forward_id)
    return _to(found.conversation, forward_id)


@pages.post("/forwards/<forward_id>/again")
def again(forward_id: str) -> Response:
    """Let an exported one leave once more with the next export."""
    found = _forward(forward_id)
    desk().cabinet.forwards.export_again(forward_id)
    return _to(found.conversation, forward_id)


@pages.post("/forwards/<forward_id>/seal-again")
def seal_again(forward_id: str) -> Response:
    """Seal the handover of one that came back to other places; all of it leaves with the next export."""
    found = _forward(forward_id)
    returned.seal_forward_again(desk(), forward_id)
    return _to(found.conversation, forward_id)


def _page(conversation: Conversation, problem: str | None) -> str:
    registry, unit = desk().settings.load_registry()
    said = facts.of_conversation(desk(), registry, conversation.identity)
    barred = kept_from_units(registry, today(), said.forces)
    without = barred | said.gave_it_away
    possible = handover.receivers(desk(), registry, unit, conversation.identity, said.gave_it_away)
    named = {
        one.id: [force.name_on(today()) for force in registry.served_by(one, today())] for one in possible
    }
    return render_template(
        "forward.html",
        conversation=conversation,
        receivers=possible,
        forces=named,
        seconds={
            one.id: [other.name for other in handover.second_seal(registry, unit, one, without)]
            for one in possible
        },
        kept_from=facts.kept_from_in_words(said.forces, registry, today()),
        kept_from_units=barred,
        involved=INVOLVED if said.involved else "",
        units_of_forces=[one.id for one in possible if one.kind is UnitKind.UNIT],
        reasons=SENTENCES,
        forward_id=secrets.token_hex(16),
        problem=problem,
        receiver=request.form.get("receiver"),
        why=request.form.get("why"),
        version=request.form.get("version"),
        text=clean_text(request.form.get("text", "")),
    )


def _conversation(identity: str) -> Conversation:
    conversation = desk().cabinet.conversations.get(identity)
    if conversation is None:
        raise NotHere
    return conversation


def _forward(forward_id: str) -> Forward:
    found = desk().cabinet.forwards.get(forward_id)
    if found is None:
        raise NotHere
    return found


def _to(identity: str, forward_id: str) -> Response:
    return redirect(url_for("conversations.shown", identity=identity, _anchor=f"f-{forward_id}"), 303)
