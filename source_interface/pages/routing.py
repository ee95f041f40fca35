"""Who a report is about, and who will be able to open it: asked and said before anything is written.

Two pages at one address. The questions, in which a force can be typed and is then offered to choose; then who opens
the report and why, with the answers in the form, to go on with or to change. What was shown is what counts: when the
registry has changed meanwhile, it is shown again.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from flask import Blueprint, Response, g, request, url_for

from common.conversation.destination import Destination
from common.days import today
from common.report.routing import Route, route
from source_interface.conversation.keys import Keys
from source_interface.pages.report import begin, go, has_unsaved_codename, look, only_way
from source_interface.render import page
from source_interface.request import small_form
from source_interface.routing import explanations, force_choice, questions
from source_interface.routing.addressees import of_next
from source_interface.routing.force_choice import Found
from source_interface.routing.questions import Questions
from source_interface.services import services
from source_interface.session import Session, keep, reporter, root_of, visitor

pages = Blueprint("routing", __name__)


@pages.route("/routing", methods=["GET", "POST"])
@visitor
def routing(session: Session) -> Response:
    """Before a first report: GET asks; POST says who can open it, or begins, or asks again."""
    fields = small_form(request, session) if request.method == "POST" else None

    def go_on(_way: Route, destination: Destination) -> Response:
        if has_unsaved_codename(session):
            return go("report.sent")
        begin(destination)
        return go("report.report")

    return _ask(Questions()) if fields is None else _answered(fields, go_on)


@pages.route("/conversation/routing", methods=["GET", "POST"])
@reporter
def choose_again(session: Session) -> Response:
    """The same within a conversation, where nobody is to be seen who would get what is written. Its codename stays."""
    fields = small_form(request, session) if request.method == "POST" else None
    registry = services().registry.current()
    visited = look(Keys(root_of(session)))
    if of_next(session, registry, visited).sender and not session.again:
        return go("conversation.conversation")

    def go_on(way: Route, destination: Destination) -> Response:
        keep(replace(session, destination=destination, again=True))
        return page("chosen.html", holders=[unit.name for unit in way.units])

    if fields is None:  # what was said before is told to nobody who only tries a codename
        held = visited.holding
        before = held.header.destination.kept_from if held.is_seen and held.header else ""
        return _ask(questions.of_before(before, registry, today()))
    return _answered(fields, go_on)


def _answered(fields: dict[str, str], go_on: Callable[[Route, Destination], Response]) -> Response:
    registry = services().registry.current()
    asked = questions.read(fields, registry, today())
    if fields.get("do") == "change":
        return _ask(asked.once_more())
    if found := force_choice.find(fields, registry, today()):
        return _ask(asked.once_more(), found=found)
    if asked.wrong:
        return _ask(asked, 422, found=force_choice.find_again(fields, asked.unsaid, registry, today()))
    way = route(questions.answers(asked, registry), today(), registry)
    destination = questions.destination(asked, way)
    shown = " ".join(destination.units)  # as the form carries it: what was shown is what counts
    if fields.get("holders", "") == shown:
        return go_on(way, destination)
    if fields.get("do") == "begin":
        g.notice = "changed"
    return page(
        "route.html",
        asked=asked.given,
        kept_from=questions.kept_from_in_words(asked, registry, today()),
        involved=destination.involved,
        holders=shown,
        names=[unit.name for unit in way.units],
        sentences=explanations.in_sentences(way),
        **_where(),
    )


def _ask(
    asked: Questions, status: int = 200, *, found: Mapping[str, Found] = MappingProxyType({})
) -> Response:
    registry = services().registry.current()
    return page(
        "routing.html",
        status,
        asked=asked.given,
        wrong=asked.wrong,
        unsaid=asked.unsaid,
        found=found,
        force_list=questions.force_list(registry, today()),
        force_names=questions.force_names(registry, today()),
        only=only_way(),
        **_where(),
    )


def _where() -> dict[str, Any]:
    return {
        "form_action": url_for(str(request.endpoint)),
        "in_place": request.endpoint == "routing.choose_again",
    }
