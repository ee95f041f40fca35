"""What anyone may read: what this is, how to stay safe, who else can help, and the certificates to seal to."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from flask import Flask, Response, abort, make_response

from common import phrases
from common.registry import UnknownUnit
from source_interface.house import house
from source_interface.render import page


def index() -> Response:
    """The first page."""
    return page("index.html", unit_names=[unit.name for unit in house().registry.current().enrolled_units()])


def safety() -> Response:
    """How to stay safe."""
    return page("safety.html")


def help_() -> Response:
    """Who else can help."""
    return page("help.html")


def certificate() -> Response:
    """The certificates, so that a reporter can seal by hand."""
    units = [
        {
            "id": unit.id,
            "name": unit.name,
            "fingerprint": phrases.grouped(unit.fingerprint),
            "certificate": unit.certificate,
        }
        for unit in house().registry.current().units
        if unit.is_enrolled
    ]
    return page("certificate.html", units_full=units)


def certificate_file(unit: str) -> Response:
    """A certificate as a file."""
    try:
        found = house().registry.current().recipient(unit)
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


def add_to(app: Flask) -> None:
    """Register the pages."""
    app.add_url_rule("/", "index", index)
    app.add_url_rule("/safety", "safety", safety)
    app.add_url_rule("/help", "help", help_)
    app.add_url_rule("/certificate", "certificate", certificate)
    app.add_url_rule("/certificate/<unit>.asc", "certificate_file", certificate_file)
