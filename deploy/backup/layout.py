"""Where the things that a backup holds lie: on a host, or in a demo's data folder."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import make_url

from common.config import ServerConfig, read_server_config
from deploy.errors import DeployError
from deploy.host.place import DATA, ONIONS, SETTINGS, Place

SETTINGS_FILES = ("server.toml", "registry.json", "registry-root.pub", "pepper")
SERVICES = ("source", "collection")
SECRET_KEY = "hs_ed25519_secret_key"  # noqa: S105  the name of tor's file
PUBLIC_KEY = "hs_ed25519_public_key"
HOSTNAME = "hostname"
CLIENTS = "authorized_clients"


class OtherPlaces(DeployError):
    """The settings name other places than the usual ones. The message says what to do."""


@dataclass(frozen=True)
class Layout:
    """`folders`: what is put in place by one rename each, the settings last: they make it an installation."""

    kind: str  # "host" or "demo"
    root: Path
    folders: tuple[Path, ...]
    settings: Path
    database: Path
    blobs: Path
    onions: Path | None
    stamp: Path  # tells the day of the last backup

    def fresh(self, path: Path) -> Path:
        """Where a path lies while its folder is made, beside its place."""
        folder = next(folder for folder in self.folders if path.is_relative_to(folder))
        return folder.with_name(folder.name + ".new") / path.relative_to(folder)

    def in_the_making(self) -> "Layout":
        """The same layout, while it is made."""
        return Layout(
            self.kind,
            self.root,
            tuple(self.fresh(folder) for folder in self.folders),
            self.fresh(self.settings),
            self.fresh(self.database),
            self.fresh(self.blobs),
            None if self.onions is None else self.fresh(self.onions),
            self.fresh(self.stamp),
        )

    def read_config(self, final: "Layout | None" = None) -> ServerConfig:
        """The settings, where all that they name lies where it should. Raises BadConfiguration, OtherPlaces.

        `final`: what they name when this layout is still in the making.
        """
        config = read_server_config(self.settings / "server.toml")
        url = make_url(config.database)
        database = Path(url.database or "") if url.get_backend_name() == "sqlite" else None
        last = final or self
        for here, there, named in (
            (self.database, last.database, database),
            (self.blobs, last.blobs, config.blobs),
            (self.settings / "registry.json", last.settings / "registry.json", config.registry),
        ):
            if named not in (here, there, Path("/") / there.relative_to(self.root)):
                raise OtherPlaces(
                    f"server.toml says that {here.name} is at {named or 'another kind of database'}. A backup knows "
                    "the usual places alone. Put it back there, or save and restore it by other means."
                )
        return config


def on_host(root: Path = Path("/")) -> Layout:
    """A host's own places, under its root folder."""
    place = Place(root)
    settings, data, onions = (place.path(name) for name in (SETTINGS, DATA, ONIONS))
    return Layout(
        kind="host",
        root=root,
        folders=(data, onions, settings),
        settings=settings,
        database=data / "database" / "candour.sqlite",
        blobs=data / "blobs",
        onions=onions,
        stamp=data / "last-backup",
    )


def in_data_folder(data: Path) -> Layout:
    """The server's part of a demo's data folder."""
    server = data / "server"
    return Layout(
        kind="demo",
        root=Path("/"),
        folders=(server,),
        settings=server,
        database=server / "candour.sqlite",
        blobs=server / "blobs",
        onions=None,
        stamp=server / "last-backup",
    )
