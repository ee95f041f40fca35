"""What the desk is told: one TOML file, read once at start, checked, and never changed.

Paths in it are relative to the file's own folder. It holds no secret: keys live in the GnuPG home, and the key
that signs answers is sealed to the case key, whose secret is there.
"""

from dataclasses import dataclass
from pathlib import Path

from common import config
from common.config import BadConfiguration
from common.registry.registry import Registry, RegistryRefused, UnknownUnit
from common.registry.units import Unit
from common.registry.version import load_newest


class NoCaseKey(Exception):
    """This desk has no case key (case.asc, beside its GnuPG home). Make one with `candour keys unit case-key`."""


@dataclass(frozen=True)
class DeskSettings:
    """The settings of one unit's desk."""

    unit: str
    gnupg: Path
    database: Path
    sealed: Path
    saved: Path
    reply_key: Path  # PEM of the Ed25519 key that signs answers, sealed to the unit's case key
    registry: Path
    registry_root: bytes  # Ed25519, 32 bytes
    stick: Path

    @property
    def run(self) -> Path:
        """The desk's own folder for certificates as files; nothing secret is ever in it."""
        return self.database.parent / "run"

    @property
    def lock(self) -> Path:
        """Held by whoever works with the stick."""
        return self.database.with_name("desk.lock")

    def read_case_certificate(self) -> str:
        """The certificate of the unit's case key, beside its GnuPG home. Raises NoCaseKey."""
        try:
            return self.gnupg.with_name("case.asc").read_text("ascii")
        except (OSError, ValueError) as error:
            raise NoCaseKey from error

    def load_registry(self) -> tuple[Registry, Unit]:
        """The registry as it is on disk now, and this desk's unit in it. Raises RegistryRefused, also for one that is
        older than one seen here before.
        """
        registry = load_newest(self.registry, self.registry_root, self.database.parent)
        try:
            return registry, registry.unit(self.unit)
        except UnknownUnit as error:
            raise RegistryRefused(f"it does not name this desk's unit, {self.unit}") from error

    def registry_if_it_holds(self) -> Registry | None:
        """The registry as it is on disk now; None where it is refused."""
        try:
            return self.load_registry()[0]
        except RegistryRefused:
            return None


def read_settings(file: Path) -> DeskSettings:
    """The settings in `desk.toml`. Raises BadConfiguration."""
    table = config.read_table(file)
    settings = DeskSettings(
        unit=config.text(file, table, "unit"),
        gnupg=config.within(file, table, "gnupg"),
        database=config.within(file, table, "database"),
        sealed=config.within(file, table, "sealed"),
        saved=config.within(file, table, "saved"),
        reply_key=config.within(file, table, "reply_key"),
        registry=config.within(file, table, "registry"),
        registry_root=config.read_root(config.within(file, table, "registry_root")),
        stick=config.within(file, table, "stick"),
    )
    if not settings.gnupg.is_dir():
        raise BadConfiguration(
            f"{file} must name the GnuPG home of this desk: {settings.gnupg} is no folder."
        )
    return settings
