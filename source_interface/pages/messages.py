"""Taking a message from a form, for the first report and for every later one: the same way, with other pages."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import cast

from flask import Response, g, request

from common.conversation.mailbox import MESSAGE_SLOTS, SLOTS
from common.report.contact import LONGEST
from common.store.values import AlreadyReceived
from source_interface import circuits
from source_interface.intake import hints, message
from source_interface.intake.form import StreamedForm
from source_interface.refusals import Refused
from source_interface.request import check_token
from source_interface.services import services
from source_interface.session import Session

MESSAGE_FORMS = frozenset({"report.report", "conversation.write_again"})
_SLOT_NAMES = {most: frozenset(map(str, range(most))) for most in (MESSAGE_SLOTS, SLOTS)}


@dataclass(frozen=True)
class TypedMessage:
    """What the page with the form is shown again with: nothing typed is lost."""

    text: str = field(default="", repr=False)
    contact: str = field(default="", repr=False)
    refused: Refused | None = None
    hints: tuple[str, ...] = ()
    came_before: bool = False  # this very form had arrived already

    @property
    def status(self) -> int:
        """The response's status."""
        return self.refused.reason.status if self.refused else 200

    def for_template(self) -> dict[str, object]:
        """What _message_form.html takes."""
        return {
            "text": self.text,
            "contact": self.contact,
            "longest_contact": LONGEST,
            "error": self.refused.sentence(services().config.limits) if self.refused else None,
            "error_field": self.refused.field if self.refused else None,
            "hints": list(self.hints),
            "choose_again": self.refused is not None and self.refused.code == "unrouted",
            "other_addressees": self.refused is not None and self.refused.code == "other addressees",
        }


def take(
    session: Session,
    sender: Callable[[str], message.Sender],
    taken: Callable[[], Response],
    again: Callable[[TypedMessage], Response],
) -> Response:
    """Take the message in this request.

    `taken` answers when it is durable; `again` when nothing was kept, or the same form had been kept before.
    Both, and `sender`, are asked only when the form's token is good: `sender` with the word that the form has for who
    was shown. Raises StaleForm for any other.

    A browser shows an answer only when it has sent all it wanted to send. So what comes of a form that is refused in
    the middle is heard by the server afterwards (`deploy/server/lingering.py`).
    """
    form: StreamedForm | None = None
    try:
        form = _open_form()
        form.read_fields()
        _check_token(session, form)
        sent_by = sender(form.fields.get("addressees", ""))
        if found := _hints(form):
            return again(replace(_typed(form), hints=tuple(found)))
        slot = slot_number(form.fields.get("slot", ""))
        with circuits.upload():
            message.receive(services(), form, sent_by, slot, request.content_length or 0)
        return taken()
    except AlreadyReceived:
        return again(replace(_typed(form), came_before=True))
    except Refused as refused:
        if form is None or "csrf" not in form.fields:
            raise StaleForm(refused, _typed(form)) from None  # nothing says that it is ours
        _check_token(session, form)
        return again(replace(_typed(form), refused=refused))


def _typed(form: StreamedForm | None) -> TypedMessage:
    return TypedMessage(form.text, form.contact) if form else TypedMessage()


def _open_form() -> StreamedForm:
    """The form in this request, kept at hand for an error page."""
    form = StreamedForm(
        request.environ["wsgi.input"],
        request.content_type or "",
        request.content_length,
        services().config.limits,
    )
    g.form = form
    return form


def typed_words() -> TypedMessage:
    """What was typed into a message form that no view could take, so that an error page can give it back."""
    if request.endpoint not in MESSAGE_FORMS or request.method != "POST":
        return TypedMessage()
    if "form" not in g:
        with suppress(Refused):
            _open_form().read_fields()
    if "form" not in g:
        return TypedMessage()
    return _typed(cast(StreamedForm, g.form))


def _check_token(session: Session, form: StreamedForm) -> None:
    """A form of another session is not shown again in this one: it would go out under another codename."""
    try:
        check_token(session, form.fields.get("csrf", ""))
    except Refused as refused:
        raise StaleForm(refused, _typed(form)) from None


class StaleForm(Exception):
    """The form belongs to an earlier session, or to none. Holds what was typed, to be given back."""

    def __init__(self, refused: Refused, typed: TypedMessage) -> None:
        super().__init__()
        self.refused = refused
        self.typed = typed


def slot_number(untrusted_slot: str, most: int = MESSAGE_SLOTS) -> int:
    """A slot as our forms name it, below `most`. Raises Refused."""
    if untrusted_slot not in _SLOT_NAMES[most]:
        raise Refused("broken")
    return int(untrusted_slot)


def _hints(form: StreamedForm) -> list[str]:
    seen = form.fields.get("seen_hints") == "1"
    if seen or (request.content_length or 0) > hints.PAUSE_UP_TO:
        return []
    return hints.hints_for(form.text)
