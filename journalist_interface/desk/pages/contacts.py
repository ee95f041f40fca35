"""Asking the identity holders for contact details that were given in confidence."""

import re

from flask import Blueprint, abort, redirect, request, url_for
from werkzeug import Response

from common.report.disclosure import Why
from journalist_interface.desk.rows.envelopes import Envelope
from journalist_interface.desk.services import NotHere, desk
from journalist_interface.desk.stick import disclosures

pages = Blueprint("contacts", __name__)

_ID = re.compile(r"[0-9a-f]{32}")


@pages.post("/messages/<envelope_id>/contact/ask")
def ask(envelope_id: str) -> Response:
    """Write a request to the stick. The same form twice is one request."""
    row, request_id = _opened(envelope_id), request.form.get("request", "")
    try:
        why = Why(request.form.get("why", ""))
    except ValueError:
        abort(400)
    if not _ID.fullmatch(request_id):
        abort(400)
    disclosures.ask(desk(), row, request_id, why)
    return _to(row)


@pages.post("/contact-requests/<request_id>/again")
def again(request_id: str) -> Response:
    """Write a request to the stick once more."""
    asked = desk().cabinet.contacts.get(request_id)
    if asked is None:
        raise NotHere
    disclosures.ask_again(desk(), request_id)
    return _to(_opened(asked.envelope))


def _opened(envelope_id: str) -> Envelope:
    row = desk().cabinet.envelopes.get(envelope_id)
    if row is None or row.conversation is None:
        raise NotHere
    return row


def _to(row: Envelope) -> Response:
    return redirect(url_for("messages.shown", envelope_id=row.id, _anchor=f"contact-{row.id}"), 303)
