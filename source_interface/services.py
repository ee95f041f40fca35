"""What the application is made of: its settings, its store, its registry and its sealer, put together once."""

import logging
import sqlite3
from dataclasses import dataclass
from typing import cast

from flask import current_app
from sqlalchemy.exc import SQLAlchemyError

from common.config import ServerConfig
from common.conversation.derivation import Gate
from common.days import today
from common.gpg.sealing import Sealer
from common.registry.file import RegistryFile
from common.registry.registry import Registry
from common.store.database import open_store
from common.store.outbox import Outbox
from common.store.repository import Store
from common.store.settlement import write_listing
from common.store.sweep import WrongDatabase
from common.transport.settled_hours import last_settled_hour

EXTENSION = "candour"
_log = logging.getLogger("candour.source")


@dataclass(frozen=True)
class Services:
    """Shared by all requests of a process. Holds nothing of any reporter."""

    config: ServerConfig
    store: Store
    registry: RegistryFile
    sealer: Sealer
    gate: Gate


def build(config: ServerConfig) -> Services:
    """Put them together, sweep what a crash left, and refuse to start on a registry that is not valid.

    Raises BadConfiguration, RegistryRefused or WrongDatabase. It needs no more room on the disk than opening
    the database: what does is left for another time.
    """
    _ = config.pepper  # it is there, and right
    registry = RegistryFile.of(config)
    registry.current()
    store = open_store(config.database, config.blobs)
    presence = store.enter()
    try:
        store.check_database(today(), alone=presence.alone)
        _tidy(config, store, registry.current(), alone=presence.alone)
    except WrongDatabase as error:
        _log.error("%s", error)
        raise
    presence.share()
    store.engine.dispose()  # connections do not survive the fork into workers
    store.blur_database()
    return Services(
        config=config,
        store=store,
        registry=registry,
        sealer=Sealer(config.run / "gnupg"),
        gate=Gate(config.limits.derivations_at_once),
    )


def _tidy(config: ServerConfig, store: Store, registry: Registry, *, alone: bool) -> None:
    """Sweep, make files ahead, and make the first listing. None of it keeps the servers from starting."""
    outbox = Outbox(config.outbox, config.blobs)
    try:
        store.sweep(today(), alone=alone, keep_free=config.limits.keep_free_bytes)
        store.fill_pool()
        if outbox.settled_hour() is None:  # never settled, or restored: the next settled hour changes it
            hour = last_settled_hour(registry.settle_every_hours)
            write_listing(store, outbox, hour, config.limits)
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        _log.error("what is past its time could not be tidied away: %s", type(error).__name__)
    finally:
        outbox.close()


def services() -> Services:
    """What the current application is made of."""
    return cast(Services, current_app.extensions[EXTENSION])
