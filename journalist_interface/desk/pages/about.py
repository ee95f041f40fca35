"""Whose desk this is, which Candour it runs, and which certificate and registry it goes by."""

from flask import Blueprint, render_template

from common.days import today
from common.registry.registry import RegistryRefused
from common.version import VERSION
from journalist_interface.desk.services import desk

pages = Blueprint("about", __name__)


@pages.get("/about")
def shown() -> str:
    """The unit, its certificate's fingerprint, the registry's version and last day, the program's version."""
    try:
        registry, unit = desk().settings.load_registry()
    except RegistryRefused as error:
        return render_template(
            "about.html", registry=None, unit=None, forces=(), problem=str(error), program=VERSION
        )
    forces = [force.name_on(today()) for force in registry.served_by(unit, today())]
    return render_template(
        "about.html", registry=registry, unit=unit, forces=forces, problem=None, program=VERSION
    )
