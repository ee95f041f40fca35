"""The desk's pages, a module for each noun."""

import secrets

from flask import Flask, g

from common import phrases
from common.report import disclosure
from common.report.disclosure import Why
from journalist_interface.desk.pages import (
    about,
    answers,
    contacts,
    conversations,
    entry,
    epochs,
    forwards,
    messages,
    stick,
    unreadable,
)
from journalist_interface.desk.services import desk
from journalist_interface.workstation import references

# Their forms may be longer.
TAKES_ANSWERS = frozenset({"answers.edit", "answers.preview", "answers.seal", "forwards.forward"})


def register(app: Flask) -> None:
    """Add all pages, and what their templates use, to an application."""
    for module in (
        entry,
        conversations,
        messages,
        answers,
        contacts,
        forwards,
        unreadable,
        stick,
        epochs,
        about,
    ):
        app.register_blueprint(module.pages)
    app.jinja_env.filters |= {
        "day": phrases.day,
        "size": phrases.size,
        "count": phrases.count,
        "grouped": phrases.grouped,
        "conversation_reference": references.conversation_reference,
        "message_reference": references.message_reference,
    }
    app.context_processor(_on_every_page)


def _on_every_page() -> dict[str, object]:
    inside = "csrf" in g
    return {
        "inside": inside,
        "contact_sentences": disclosure.SENTENCES,
        "contact_reasons": [why.value for why in Why],
        "new_id": lambda: secrets.token_hex(16),
        "csrf": g.csrf if inside else "",
        "unit_id": desk().settings.unit if inside else "",
        "to_export": desk().cabinet.answers.count_to_export() if inside else 0,
        "to_pass_on": desk().cabinet.forwards.count_to_export() if inside else 0,
    }
