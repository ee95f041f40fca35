"""`candour settle`: the one step by which anything passes between the units and the store, at settled hours only.

What couriers delivered is taken in, what is past its time goes, what arrived becomes listed: common/store/settlement.py
says in which order. The host's timer runs it every hour, and it does nothing where the last settled hour, which the
registry names, is settled already. It is safe beside the servers. It refuses on a day on which the registry does not
hold: a clock far ahead would have all answers deleted.
"""

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deploy.errors import DeployError
from deploy.host.user_switch import acting_as

if TYPE_CHECKING:
    from common.config import ServerConfig


class NotSettled(DeployError):
    """The settlement did not end. The message says why and what to do."""


@click.command()
@click.option(
    "--settings",
    type=click.Path(path_type=Path),
    envvar="CANDOUR_SERVER",
    show_envvar=True,
    metavar="FILE",
    help="The servers' server.toml.  [default: a demo's]",
)
@click.option("--data", type=click.Path(path_type=Path), metavar="DIR", help="A demo's data folder.")
@click.option("--now", is_flag=True, help="Settle whatever the hour, as a demo does at each round.")
def settle(settings: Path | None, data: Path | None, now: bool) -> None:
    """Take in what couriers delivered, list what they may collect. Says nothing when all went well."""
    from sqlalchemy.exc import SQLAlchemyError

    from common.config import BadConfiguration, read_server_config
    from common.registry.registry import RegistryRefused
    from common.store.sweep import WrongDatabase

    try:
        config = read_server_config(_chosen(settings, data).absolute())
        owner = config.blobs.stat()  # root leaves no file of its own among those of the servers
        with acting_as(owner.st_uid, owner.st_gid):
            _settle(config, whatever_the_hour=now)
    except RegistryRefused as error:
        raise NotSettled(
            f"{error} Nothing was taken in, listed or deleted. See that the clock is right, and put the current "
            "registry in place."
        ) from error
    except (BadConfiguration, WrongDatabase) as error:
        raise NotSettled(str(error)) from error
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise NotSettled(
            f"The settlement stopped at {type(error).__name__}, and couriers see what they saw before. `candour "
            "doctor` may say why; the next one takes it up."
        ) from error


def _chosen(settings: Path | None, data: Path | None) -> Path:
    from deploy import data_folder

    if data is None and settings is not None:
        return settings
    return data_folder.server_settings(data or data_folder.DEFAULT_DATA)


def _settle(config: "ServerConfig", *, whatever_the_hour: bool) -> None:
    from common.store.database import open_store
    from common.store.inbox import Inbox
    from common.store.outbox import Outbox
    from common.store.settlement import Settlement
    from common.transport import settled_hours

    registry = (
        config.load_registry()
    )  # refused on a day that it does not hold for: then the clock may be wrong
    outbox = Outbox(config.outbox, config.blobs)
    try:
        if not whatever_the_hour and not settled_hours.is_due(
            outbox.settled_hour(), registry.settle_every_hours
        ):
            return
        hour = (
            settled_hours.this_hour()
            if whatever_the_hour
            else settled_hours.last_settled_hour(registry.settle_every_hours)
        )
        store = open_store(config.database, config.blobs)
        try:
            Settlement(store, Inbox(config.inbox), outbox, registry, config.limits).run(hour)
        finally:
            store.engine.dispose()
    finally:
        outbox.close()
