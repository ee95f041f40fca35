"""The desk's application. Create it with `create_app()`; it serves 127.0.0.1 alone, by the rules of `guard`."""

from pathlib import Path

from flask import Flask

from journalist_interface.desk import pages, problems
from journalist_interface.desk.opening import saved_files
from journalist_interface.desk.services import open_desk
from journalist_interface.workstation.app import add_errors, new_app, settings_file

MOST_ANSWER_BYTES = 1024 * 1024  # an answer that is far too long comes back to be shortened


def create_app(settings: Path | str | None = None, port: int | None = None) -> Flask:
    """The desk of a settings file at a port; by default those that CANDOUR_DESK and CANDOUR_DESK_PORT name.

    `app.config["ONE_TIME_LINK"]` is the path that lets in. Raises BadConfiguration.
    """
    desk = open_desk(settings_file(settings))
    app = new_app(__name__, desk, port, longer_forms=dict.fromkeys(pages.TAKES_ANSWERS, MOST_ANSWER_BYTES))
    saved_files.clear_unfinished(desk.settings.saved)
    add_errors(app, problems.page_of_error, problems.page_of_status)
    pages.register(app)
    desk.cabinet.rest()
    return app
