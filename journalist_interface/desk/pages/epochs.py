"""The unit's epochs: what is sealed to each month's key, and an old one's end, asked twice."""

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug import Response

from journalist_interface.desk.epochs import months
from journalist_interface.desk.epochs.months import NotNow, ShownEpoch
from journalist_interface.desk.services import desk

pages = Blueprint("epochs", __name__)


@pages.get("/epochs")
def listed() -> str:
    """All epochs, and what is sealed to each."""
    return render_template("epochs.html", epochs=months.list_epochs(desk()), unknown=months.unknown(desk()))


@pages.post("/epochs/look")
def look() -> Response:
    """Learn the month of what was opened before months were noted."""
    months.look_for_keys(desk())
    return redirect(url_for(".listed"), 303)


@pages.get("/epochs/<fingerprint>")
def shown(fingerprint: str) -> str:
    """What an epoch's end takes along, and the first question: its month, typed."""
    return render_template("epoch.html", shown=months.find_epoch(desk(), fingerprint), wrong=False)


@pages.post("/epochs/<fingerprint>/confirm")
def confirm(fingerprint: str) -> str:
    """The second question."""
    found = months.find_epoch(desk(), fingerprint)
    if found.obstacles:
        raise NotNow(" ".join(found.obstacles))
    if not _is_typed(found):
        return render_template("epoch.html", shown=found, wrong=True)
    return render_template("epoch_last.html", shown=found)


@pages.post("/epochs/<fingerprint>/destroy")
def destroy(fingerprint: str) -> str | Response:
    """Destroy it, when both questions were answered."""
    found = months.find_epoch(desk(), fingerprint)
    if not _is_typed(found):
        return render_template("epoch.html", shown=found, wrong=True)
    months.destroy_epoch(desk(), fingerprint)
    return redirect(url_for(".listed"), 303)


def _is_typed(found: ShownEpoch) -> bool:
    typed = " ".join(request.form.get("month", "").split())
    return typed.casefold() == found.epoch.name.casefold()
