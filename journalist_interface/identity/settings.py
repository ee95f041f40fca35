"""What the identity holders' desk is told: one TOML file beside the key, read once at start, checked, never changed.

    unit = "west-unit"                  whose identity key this is
    registry = "registry.json"          paths are relative to the file's own folder
    registry_root = "registry-root.pub"
    stick = "/media/stick"

Beside it lie what `candour keys identity new` has made, `gnupg/` and `holders/`, and the desk's own copy of every entry
that was signed here, `trail/`.
"""

from dataclasses import dataclass
from pathlib import Path

from common import config
from common.config import BadConfiguration
from common.names import is_short_name
from common.registry.holders import GNUPG_HOME, HOLDERS
from common.registry.registry import Registry, RegistryRefused, UnknownUnit
from common.registry.units import Unit
from common.registry.version import load_newest

SETTINGS = "identity.toml"


@dataclass(frozen=True)
class IdentitySettings:
    """The settings of one unit's identity holders."""

    unit: str
    folder: Path
    registry: Path
    registry_root: bytes  # Ed25519, 32 bytes
    stick: Path

    @property
    def gnupg(self) -> Path:
        """The home of the identity key."""
        return self.folder / GNUPG_HOME

    @property
    def trail(self) -> Path:
        """What was signed here."""
        return self.folder / "trail"

    def holders(self) -> list[str]:
        """The names of those who have a box here."""
        return sorted(box.stem for box in (self.folder / HOLDERS).glob("*.json") if is_short_name(box.stem))

    def read_box(self, name: str) -> bytes:
        """The box of one of `holders`. Raises OSError."""
        return (self.folder / HOLDERS / f"{name}.json").read_bytes()

    def load_registry(self) -> tuple[Registry, Unit]:
        """The registry as it is on disk now, and this unit in it. Raises RegistryRefused, also for one that is older
        than one seen here before: it could bring back a unit that may ask for nothing any more.
        """
        registry = load_newest(self.registry, self.registry_root, self.folder)
        try:
            return registry, registry.unit(self.unit)
        except UnknownUnit as error:
            raise RegistryRefused(f"it does not name the unit of this desk, {self.unit}") from error


def read_settings(file: Path) -> IdentitySettings:
    """The settings in `identity.toml`. Raises BadConfiguration."""
    table = config.read_table(file)
    settings = IdentitySettings(
        unit=config.text(file, table, "unit"),
        folder=file.resolve().parent,
        registry=config.within(file, table, "registry"),
        registry_root=config.read_root(config.within(file, table, "registry_root")),
        stick=config.within(file, table, "stick"),
    )
    if not settings.gnupg.is_dir() or not settings.holders():
        raise BadConfiguration(
            f"{settings.folder} has no identity key. `candour keys identity new` makes one there."
        )
    return settings
