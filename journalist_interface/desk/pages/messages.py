"""A message on a page of its own, and its files: saved, or opened when the reporter sealed them by own hand."""

from flask import Blueprint, render_template

from journalist_interface.desk.opening import saved_files
from journalist_interface.desk.opening.display import base_name, open_sealed_text, show_message
from journalist_interface.desk.rows.envelopes import Envelope
from journalist_interface.desk.services import NotHere, desk

pages = Blueprint("messages", __name__)


@pages.get("/messages/<envelope_id>")
def shown(envelope_id: str) -> str:
    """A message, opened whatever its size."""
    row = _opened(envelope_id)
    return render_template(
        "message.html",
        entry=show_message(desk(), row.id),
        identity=row.conversation,
        handled=desk().cabinet.envelopes.handled([row.id]),
    )


@pages.post("/messages/<envelope_id>/files/<int:number>/save")
def save(envelope_id: str, number: int) -> str:
    """Save a file, checked against the report's manifest, under `saved/`."""
    row = _opened(envelope_id)
    return render_template("saved.html", saved=saved_files.save(desk(), row, number), row=row, number=number)


@pages.post("/messages/<envelope_id>/files/<int:number>/open")
def open_file(envelope_id: str, number: int) -> str:
    """What is in a small file that the reporter sealed by own hand."""
    row = _opened(envelope_id)
    file, content = saved_files.open_file(desk(), row, number)
    return render_template(
        "opened.html", name=base_name(file), file=file, content=content, row=row, number=number
    )


@pages.post("/messages/<envelope_id>/words/<int:number>/open")
def open_words(envelope_id: str, number: int) -> str:
    """What is in words that the reporter sealed by own hand."""
    row = _opened(envelope_id)
    content = open_sealed_text(desk(), row, number)
    return render_template("opened.html", file=None, content=content, row=row, number=number)


def _opened(envelope_id: str) -> Envelope:
    """The row of a message that belongs to a conversation."""
    row = desk().cabinet.envelopes.get(envelope_id)
    if row is None or row.conversation is None:
        raise NotHere
    return row
