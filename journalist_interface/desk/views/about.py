"""Whose desk this is, and which certificate and registry it goes by."""

from flask import Blueprint, render_template

from common.units import RegistryRefused
from journalist_interface.desk.views.here import desk

pages = Blueprint("about", __name__)


@pages.get("/about")
def shown() -> str:
    """The unit, its certificate's fingerprint, the registry's version and last day."""
    try:
        registry, unit = desk().settings.load_registry()
    except RegistryRefused as error:
        return render_template("about.html", registry=None, unit=None, problem=str(error))
    return render_template("about.html", registry=registry, unit=unit, problem=None)
