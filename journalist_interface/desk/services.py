"""The desk put together: its settings, its rows, its sealed files, and what opens and seals."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flask import current_app

from common.durable import locked
from common.gpg.opening import Opener
from common.gpg.sealing import Sealer
from journalist_interface.desk.rows.cabinet import Cabinet, open_cabinet
from journalist_interface.desk.rows.sealed_files import SealedFiles
from journalist_interface.desk.settings import DeskSettings, read_settings
from journalist_interface.workstation.app import EXTENSION


class StickBusy(Exception):
    """The desk is importing or exporting at this moment. Wait until that is over and try again."""


class NotHere(LookupError):
    """This desk has no such conversation, message, file or answer."""


@dataclass(frozen=True)
class Desk:
    """What the pages and the command line work with. Safe to share between threads."""

    settings: DeskSettings
    cabinet: Cabinet
    files: SealedFiles
    opener: Opener
    sealer: Sealer

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While it lasts nobody else imports or exports, in this process or another. Raises StickBusy."""
        with locked(self.settings.lock, StickBusy()):
            yield


def desk() -> Desk:
    """The desk of the running application."""
    found = current_app.extensions[EXTENSION]
    assert isinstance(found, Desk)  # noqa: S101  create_app has put it there
    return found


def open_desk(settings_file: Path) -> Desk:
    """The desk of a settings file. Raises BadConfiguration."""
    settings = read_settings(settings_file)
    for folder in (settings.saved, settings.run):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Desk(
        settings=settings,
        cabinet=open_cabinet(settings.database),
        files=SealedFiles(settings.sealed),
        opener=Opener(settings.gnupg),
        sealer=Sealer(settings.run / "sealing"),
    )
