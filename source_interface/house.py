"""What the application is made of: its settings, its store, its registry and its sealer, put together once."""

import hashlib
import logging
import os
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from flask import current_app

from common.config import ServerConfig
from common.days import today
from common.derivation import Gate
from common.registry_file import RegistryFile
from common.sealing import Sealer, private_home
from common.store.blobs import blur_times
from common.store.opening import open_store
from common.store.repository import Store
from common.store.sweeping import WrongDatabase
from common.units import Unit

EXTENSION = "candour.house"
_RECIPIENTS = "recipients"
_log = logging.getLogger("candour.source")


@dataclass(frozen=True)
class House:
    """Shared by all requests of a process. Holds nothing of any reporter."""

    config: ServerConfig
    store: Store
    registry: RegistryFile
    sealer: Sealer
    gate: Gate

    def recipient_files(self, unit: Unit) -> list[Path]:
        """The certificates a message to this unit is sealed to, as files."""
        return [self._certificate_file(unit.certificate)]

    def identity_files(self, unit: Unit) -> list[Path]:
        """The certificate that contact details for this unit are sealed to, as a file."""
        return [self._certificate_file(unit.identity_certificate)]

    def _certificate_file(self, armoured: str) -> Path:
        folder = private_home(self.config.run / _RECIPIENTS)
        certificate = armoured.encode("ascii")
        name = hashlib.sha256(
            certificate
        ).hexdigest()  # one that was renewed or revoked has the same fingerprint
        file = folder / f"{name}.asc"
        if not file.exists():
            part = folder / f"{name}.{os.getpid()}.{threading.get_ident()}.part"
            part.write_bytes(certificate)
            blur_times(part, today())
            part.rename(file)
            blur_times(folder, today())
        return file


def build(config: ServerConfig) -> House:
    """Put the house together, sweep what a crash left, and refuse to start on a registry that is not valid.

    Raises RegistryRefused or WrongDatabase.
    """
    registry = RegistryFile.of(config)
    registry.current()
    store = open_store(config.database, config.blobs)
    presence = store.blobs.enter()
    try:
        store.sweep(today(), alone=presence.alone)
    except WrongDatabase as error:
        _log.error("%s", error)
        raise
    if presence.alone:  # nobody seals: what registries of the past left can go
        shutil.rmtree(config.run / _RECIPIENTS, ignore_errors=True)
    presence.share()
    store.engine.dispose()  # connections do not survive the fork into workers
    return House(
        config=config,
        store=store,
        registry=registry,
        sealer=Sealer(config.run / "gnupg"),
        gate=Gate(config.limits.derivations_at_once),
    )


def house() -> House:
    """The house of the current application."""
    return cast(House, current_app.extensions[EXTENSION])
