"""The files of the information page, made from an address and a verified registry.

Promises: no script, no form, nothing from elsewhere, and no link that leads away. Even the onion address is text: in
an ordinary browser a link to it would ask the network for that name in the clear.
"""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import PurePosixPath

import segno
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from common import phrases
from common.days import today
from common.registry.registry import Registry
from deploy.site.address import OnionAddress
from source_interface.pages.public import contacts

PAGE = PurePosixPath("page")  # what is served; the rest is for whoever runs the web server
STYLE = "candour.css"
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_QUIET_ZONE = 4  # modules (ISO/IEC 18004, section 9.1)


def make_files(address: OnionAddress, registry: Registry, service_name: str) -> Mapping[PurePosixPath, bytes]:
    """The whole site: path in its folder -> content."""
    templates = Environment(
        loader=ChoiceLoader([PackageLoader("deploy.site"), PackageLoader("source_interface")]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    values = {
        "service_name": service_name,
        "address": address,
        "code": qr_code(address),
        "registry": registry,
        "holders": [
            (unit, [force.name_on(today()) for force in registry.served_by(unit, today())])
            for unit in registry.units
            if unit.is_enrolled
        ],
        "grouped": phrases.grouped,
        "contacts": contacts(),
        "style": STYLE,
        "policy": CONTENT_SECURITY_POLICY,
    }
    names = {
        PAGE / "index.html": "index.html",
        PAGE / "404.html": "404.html",
        PurePosixPath("nginx.conf"): "nginx.conf",
        PurePosixPath("apache.conf"): "apache.conf",
    }
    made = {path: templates.get_template(name).render(values).encode() for path, name in names.items()}
    made[PAGE / STYLE] = files("source_interface").joinpath("static", "candour.css").read_bytes()
    return made


def qr_code(address: OnionAddress) -> str:
    """The address as an inline SVG: black on white in any colour scheme."""
    code = segno.make(address.url, error="m", micro=False)
    return code.svg_inline(
        scale=5, border=_QUIET_ZONE, dark="#000", light="#fff", title=f"QR code of {address.host}"
    )
