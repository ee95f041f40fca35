"""The stick, both ways: import and export."""

from flask import Blueprint, render_template

from common.report import disclosure
from journalist_interface.desk.services import desk
from journalist_interface.desk.stick import bundle_export, bundle_import, disclosures
from journalist_interface.desk.stick.bundle_export import Exported
from journalist_interface.desk.stick.bundle_import import Imported
from journalist_interface.desk.stick.disclosures import Taken

pages = Blueprint("stick", __name__)

_MOST_SHOWN = 20  # items of a bundle that were set aside


@pages.get("/import")
def to_import() -> str:
    """What is on the stick, and the button that takes it."""
    return _import_page(None)


@pages.post("/import")
def import_() -> str:
    """Take what is on the stick, and say what happened in numbers."""
    return _import_page(bundle_import.import_all(desk()), disclosures.import_entries(desk()))


@pages.get("/export")
def to_export() -> str:
    """What waits to leave, and the button that writes it to the stick."""
    return _export_page(None)


@pages.post("/export")
def export() -> str:
    """Write what waits to the stick."""
    return _export_page(bundle_export.export_waiting(desk()))


def _import_page(done: Imported | None, contacts: Taken | None = None) -> str:
    return render_template(
        "import.html",
        done=done,
        contacts=contacts,
        most_shown=_MOST_SHOWN,
        returned=desk().cabinet.posts.returned(),
        bundles=bundle_import.waiting_on(desk().settings.stick),
        entries=[file.name for file in disclosure.found(desk().settings.stick, "entry")],
    )


def _export_page(done: Exported | None) -> str:
    return render_template(
        "export.html",
        done=done,
        returned=desk().cabinet.posts.returned(),
        to_confirm=desk().cabinet.posts.count_owed_receipts(),
        stick_is_there=desk().settings.stick.is_dir(),
    )
