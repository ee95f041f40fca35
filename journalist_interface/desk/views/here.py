"""The desk that the present request is about."""

from flask import current_app

from journalist_interface.desk.entry import Entry
from journalist_interface.desk.workplace import Desk


def desk() -> Desk:
    """The running application's desk."""
    found = current_app.extensions["desk"]
    assert isinstance(found, Desk)  # noqa: S101  create_app has put it there
    return found


def entry() -> Entry:
    """The running application's door."""
    found = current_app.extensions["entry"]
    assert isinstance(found, Entry)  # noqa: S101  create_app has put it there
    return found
