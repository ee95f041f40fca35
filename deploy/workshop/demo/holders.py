"""Who hold the identity keys of the demo's two units, so that opening contact details can be tried by hand."""

from pathlib import Path
from typing import TYPE_CHECKING

from deploy.run import gpg_agent

if TYPE_CHECKING:
    from common.registry.units import Unit

# These passphrases protect nothing: everybody can read them here.
PASSPHRASES = {"first-holder": "the first demo passphrase", "second-holder": "the second demo passphrase"}
UNITS = ("demo-unit", "demo-shared")
SETTINGS = {"registry": "registry.json", "registry_root": "registry-root.pub", "stick": "../stick"}


def make(folder: Path, unit: "Unit", link: Path) -> "Unit":
    """Make a unit's identity key in a new folder. Returns the unit with it. Raises CeremonyFailed.

    `link`: a free name of a short path, by which gpg-agent's sockets are short enough.
    """
    from keys.unit.identity_key import new_identity, with_identity

    folder.mkdir(mode=0o700)
    link.symlink_to(folder)
    try:
        return with_identity(unit, new_identity(link, unit.id, PASSPHRASES))
    finally:
        gpg_agent.stop(link / "gnupg")
        link.unlink()
