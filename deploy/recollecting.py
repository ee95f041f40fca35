"""`candour deploy recollect`: what a lost courier had collected waits for its successor once more.

Whoever may collect now gets it: so the keys that may are shown first, and the lost one must not be among them.

A collected envelope stays for seven days, should the unit's copy fail (common/store/sweeping.py). The desk passes over
an envelope that it has had, so that calling back too many does no harm. It is safe beside servers that run.
"""

from datetime import date
from pathlib import Path

from deploy.acting import acting_as
from deploy.errors import DeployError


class NotRecalled(DeployError):
    """Nothing waits again. The message says why and what to do."""


def couriers_now(unit: str, settings: Path) -> tuple[str, ...]:
    """The ids of the courier keys that may collect for a unit, by the registry in place. Raises NotRecalled."""
    from common.config import BadConfiguration, read_server_config
    from common.registry import RegistryRefused, UnknownUnit

    try:
        found = read_server_config(settings.absolute()).load_registry().unit(unit)
    except (BadConfiguration, RegistryRefused) as error:
        raise NotRecalled(str(error)) from error
    except UnknownUnit as error:
        raise NotRecalled(f"The registry has no unit {unit}. Look at the unit's short name.") from error
    return tuple(sorted(found.couriers)) if found.is_enrolled else ()


def recollect_here(unit: str, since: date, settings: Path) -> None:
    """Do it, and say how many. Raises NotRecalled."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import SQLAlchemyError

    from common.config import BadConfiguration, read_server_config
    from common.store.opening import open_store

    try:
        config = read_server_config(settings.absolute())
        url = make_url(config.database)
        file = Path(url.database or "") if url.get_backend_name() == "sqlite" else settings
        owner = file.stat()
        with acting_as(owner.st_uid, owner.st_gid):  # the database's files belong to the servers' user
            store = open_store(config.database, config.blobs)
            try:
                count = store.recall(unit, since)
            finally:
                store.engine.dispose()
    except BadConfiguration as error:
        raise NotRecalled(str(error)) from error
    except (SQLAlchemyError, OSError) as error:
        raise NotRecalled(
            f"It stopped at {type(error).__name__}, and nothing waits again. Run it as root, on the host."
        ) from error
    if not count:
        raise NotRecalled(
            f"{unit} collected nothing since {since} that is still here. Look at the unit's short name and the day; "
            "after seven days an envelope that was collected is gone."
        )
    print(f"{count} of {unit} wait again. Its desk passes over what it has had.", flush=True)
