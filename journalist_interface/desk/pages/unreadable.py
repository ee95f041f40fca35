"""What could not be opened: kept sealed, listed with the reason, tried again when asked."""

from flask import Blueprint, render_template, request, url_for

from journalist_interface.desk.opening import failure_reasons
from journalist_interface.desk.opening.inspection import Looked, look_again
from journalist_interface.desk.pages import cursors
from journalist_interface.desk.rows.conversations import PAGE
from journalist_interface.desk.services import desk

pages = Blueprint("unreadable", __name__)


@pages.get("/unreadable")
def listed() -> str:
    """Envelopes that could not be opened, newest first."""
    return _page(None)


@pages.post("/unreadable")
def again() -> str:
    """Try each of them once more."""
    return _page(look_again(desk()))


def _page(looked: Looked | None) -> str:
    before = cursors.read_day(request.args.get("before"))
    found = desk().cabinet.envelopes.unreadable(before, PAGE + 1)
    older = None
    if len(found) > PAGE:
        older = url_for(".listed", before=cursors.of_day(found[PAGE - 1].day, found[PAGE - 1].id))
    return render_template(
        "unreadable.html",
        envelopes=found[:PAGE],
        older=older,
        sentences=failure_reasons.SENTENCES,
        looked=looked,
    )
