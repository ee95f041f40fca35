"""What the application is made of: its settings, its store, its registry and its sealer, put together once."""

import logging
from dataclasses import dataclass
from typing import cast

from flask import current_app

from common.config import ServerConfig
from common.days import today
from common.derivation import Gate
from common.registry_file import RegistryFile
from common.sealing import Sealer
from common.store.opening import open_store
from common.store.repository import Store
from common.store.sweeping import WrongDatabase

EXTENSION = "candour.house"
_log = logging.getLogger("candour.source")


@dataclass(frozen=True)
class House:
    """Shared by all requests of a process. Holds nothing of any reporter."""

    config: ServerConfig
    store: Store
    registry: RegistryFile
    sealer: Sealer
    gate: Gate


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
