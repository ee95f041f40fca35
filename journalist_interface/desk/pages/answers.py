"""Writing an answer: typed, looked at as the reporter will see it, sealed; taken back, or exported again."""

import re

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug import Response

from common.conversation.mailbox import AnswerTooLong
from common.days import today
from common.report.report import clean_text
from journalist_interface.desk.answers import composition, tasking
from journalist_interface.desk.rows.answers import Answer
from journalist_interface.desk.rows.conversations import Conversation
from journalist_interface.desk.services import NotHere, desk
from journalist_interface.desk.stick import returned

pages = Blueprint("answers", __name__)

_ID = re.compile(r"[0-9a-f]{32}")
_NOT_RELEASED = "Let a second person read it, and tick that they release it. Nothing was sealed yet."


@pages.post("/conversations/<identity>/answer")
def edit(identity: str) -> str:
    """The answer's form with the words typed so far."""
    return render_template("answer.html", conversation=_conversation(identity), text=_text(), problem=None)


@pages.post("/conversations/<identity>/answer/preview")
def preview(identity: str) -> str:
    """The answer as the reporter will see it, or what is wrong with it. Nothing is kept."""
    conversation, text = _conversation(identity), _text()
    if not text:
        return _again(
            conversation, text, "There are no words in the answer yet. Write them, then preview again."
        )
    return _preview(conversation, text, None)


@pages.post("/conversations/<identity>/answer/seal")
def seal(identity: str) -> str | Response:
    """Seal the answer that was previewed. The same form twice is one answer."""
    conversation, text = _conversation(identity), _text()
    answer_id = request.form.get("answer", "")
    if not text or not _ID.fullmatch(answer_id):
        abort(400)
    if request.form.get("released") != "yes":
        return _preview(conversation, text, _NOT_RELEASED)
    try:
        composition.seal_answer(desk(), identity, answer_id, text)
    except AnswerTooLong as error:
        return _again(conversation, text, str(error))
    return _back_to(identity, answer_id)


@pages.post("/answers/<answer_id>/take-back")
def take_back(answer_id: str) -> Response:
    """Forget an answer that has not left the desk."""
    answer = _known(answer_id)
    composition.take_back(desk(), answer_id)
    return redirect(url_for("conversations.shown", identity=answer.conversation), 303)


@pages.post("/answers/<answer_id>/again")
def again(answer_id: str) -> Response:
    """Let an exported answer leave once more with the next export."""
    answer = _known(answer_id)
    desk().cabinet.answers.export_again(answer_id)
    return _back_to(answer.conversation, answer_id)


@pages.post("/answers/<answer_id>/seal-again")
def seal_again(answer_id: str) -> Response:
    """Seal an answer that came back to other places; it leaves with the next export."""
    answer = _known(answer_id)
    returned.seal_answer_again(desk(), answer_id)
    return _back_to(answer.conversation, answer_id)


def _known(answer_id: str) -> Answer:
    answer = desk().cabinet.answers.get(answer_id)
    if answer is None:
        raise NotHere
    return answer


def _back_to(conversation: str, answer_id: str) -> Response:
    return redirect(url_for("conversations.shown", identity=conversation, _anchor=f"a-{answer_id}"), 303)


def _preview(conversation: Conversation, text: str, problem: str | None) -> str:
    _, unit = desk().settings.load_registry()
    draft = composition.draft(unit, text, today())
    if draft.too_long:
        return _again(conversation, text, str(draft.too_long))
    return render_template(
        "preview.html",
        conversation=conversation,
        draft=draft,
        holder=unit.name,
        tasks=tasking.phrases_in(text),
        problem=problem,
    )


def _conversation(identity: str) -> Conversation:
    conversation = desk().cabinet.conversations.get(identity)
    if conversation is None:
        raise NotHere
    return conversation


def _text() -> str:
    return clean_text(request.form.get("text", "")).strip()


def _again(conversation: Conversation, text: str, problem: str) -> str:
    return render_template("answer.html", conversation=conversation, text=text, problem=problem)
