"""`candour sweep`: what is past its time goes, and the database is written anew so that it forgets what came when.

The host's timer runs it every midnight; the servers do the same when they start. It is safe beside them. Both refuse
on a day on which the registry does not hold: a clock far ahead would have all answers deleted.
"""

from pathlib import Path

import click

from deploy.errors import DeployError


class NotSwept(DeployError):
    """The sweep did not end. The message says why and what to do."""


@click.command()
@click.option(
    "--settings",
    type=click.Path(path_type=Path),
    envvar="CANDOUR_SERVER",
    show_envvar=True,
    required=True,
    metavar="FILE",
    help="The servers' server.toml.",
)
def sweep(settings: Path) -> None:
    """Delete what is past its time. Says nothing when all went well."""
    from sqlalchemy.exc import SQLAlchemyError

    from common.config import BadConfiguration, read_server_config
    from common.days import today
    from common.registry import RegistryRefused
    from common.store.opening import open_store
    from common.store.sweeping import WrongDatabase

    try:
        config = read_server_config(settings.absolute())
        config.load_registry()  # refused on a day that it does not hold for: then the clock may be wrong
        store = open_store(config.database, config.blobs)
        presence = store.blobs.enter()
        try:
            store.sweep(today(), alone=presence.alone)
        finally:
            presence.leave()
            store.engine.dispose()
    except RegistryRefused as error:
        raise NotSwept(
            f"{error} Nothing was deleted. See that the clock is right, and put the current registry in place."
        ) from error
    except (BadConfiguration, WrongDatabase) as error:
        raise NotSwept(str(error)) from error
    except (SQLAlchemyError, OSError) as error:
        raise NotSwept(
            f"The sweep stopped at {type(error).__name__}. `candour doctor` may say why; the next sweep takes it up."
        ) from error
