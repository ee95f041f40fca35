"""What the identity holders' pages work with: their settings, and the forms that were shown."""

from dataclasses import dataclass, field

from flask import current_app

from journalist_interface.identity.forms import Forms
from journalist_interface.identity.settings import IdentitySettings
from journalist_interface.workstation.app import EXTENSION


@dataclass
class Services:
    """Those of one running application."""

    settings: IdentitySettings
    forms: Forms = field(default_factory=Forms)


def services() -> Services:
    """Those of the application that answers this request."""
    found = current_app.extensions[EXTENSION]
    assert isinstance(found, Services)  # noqa: S101  create_app has put it there
    return found
