"""What anyone may read: what this is, how to stay safe, who else can help, and the certificates to seal to."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from flask import Blueprint, Response, abort, make_response

from common import phrases
from common.days import today
from common.registry.registry import Registry, UnknownUnit
from common.registry.units import Unit
from source_interface.render import page
from source_interface.services import services

pages = Blueprint("public", __name__)


@pages.get("/")
def index() -> Response:
    """The first page."""
    return page(
        "index.html", unit_names=[unit.name for unit in services().registry.current().enrolled_units()]
    )


@pages.get("/safety")
def safety() -> Response:
    """How to stay safe."""
    return page("safety.html")


@pages.get("/help", endpoint="help")
def help_() -> Response:
    """Who else can help."""
    return page("help.html")


@pages.get("/certificate")
def certificates() -> Response:
    """Whose certificates there are, so that a reporter can seal by hand. Each has a page of its own."""
    registry = services().registry.current()
    enrolled = [_in_words(registry, unit) for unit in registry.units if unit.is_enrolled]
    return page("certificates.html", units=enrolled)


@pages.get("/certificate/<unit>")
def certificate(unit: str) -> Response:
    """One certificate, and how to seal to it."""
    registry = services().registry.current()
    try:
        found = registry.recipient(unit)
    except UnknownUnit:
        abort(404)
    return page("certificate.html", unit=_in_words(registry, found), certificate=found.certificate)


def _in_words(registry: Registry, unit: Unit) -> dict[str, str]:
    return {
        "id": unit.id,
        "name": unit.name,
        "forces": ", ".join(force.name_on(today()) for force in registry.served_by(unit, today())),
        "fingerprint": phrases.grouped(unit.fingerprint),
    }


@pages.get("/certificate/<unit>.asc")
def certificate_file(unit: str) -> Response:
    """A certificate as a file."""
    try:
        found = services().registry.current().recipient(unit)
    except UnknownUnit:
        abort(404)
    response = make_response(found.certificate)
    response.headers["Content-Type"] = "application/pgp-keys"
    response.headers["Content-Disposition"] = f'attachment; filename="{found.id}.asc"'
    return response


@cache
def contacts() -> list[dict[str, Any]]:
    """Who else can help, from contacts.toml: the one place where numbers stand."""
    table = tomllib.loads(files("source_interface").joinpath("contacts.toml").read_text("utf-8"))
    return list(table["contacts"])
