"""The demo's data folder: where in it everything is, whether it is one, and who holds it.

A few forces, their units, a charity's desk and an overseer. Each has a desk, a courier and a stick of its own: those of
the first unit in DIR, of the others in DIR/units/ID.
"""

import json
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from common.durable import locked, write_whole
from deploy.errors import DeployError
from deploy.run.servers import PROJECT

UNIT_ID, UNIT_NAME = "demo-unit", "Demo Anti-Corruption Unit"
SHARED_ID, SHARED_NAME = "demo-shared", "Northmarch and Southmarch Anti-Corruption Unit"
CHARITY_ID, CHARITY_NAME = "demo-charity", "Demo Charity’s Desk"
OVERSEER_ID, OVERSEER_NAME = "demo-overseer", "Demo Oversight Body"
OTHER_IDS = (SHARED_ID, CHARITY_ID, OVERSEER_ID)
FORCE_ID, FORCE_NAME = "demo-force", "Demo Constabulary"
DEFAULT_DATA = PROJECT / "var"


class DataFolderRefused(DeployError):
    """The data folder cannot be used. The message says why and what to do."""


def server_settings(data: Path) -> Path:
    return data / "server" / "server.toml"


def place(data: Path, unit_id: str = UNIT_ID) -> Path:
    """Where a unit's desk, courier and stick are."""
    return data if unit_id == UNIT_ID else data / "units" / unit_id


def courier_settings(data: Path, unit_id: str = UNIT_ID) -> Path:
    return place(data, unit_id) / "courier" / "courier.toml"


def desk_settings(data: Path, unit_id: str = UNIT_ID) -> Path:
    return place(data, unit_id) / "desk" / "desk.toml"


def identity_folder(data: Path, unit_id: str = UNIT_ID) -> Path:
    """Where a unit's identity holders work; there only for some units."""
    return place(data, unit_id) / "identity"


def gnupg_home(data: Path, unit_id: str = UNIT_ID) -> Path:
    """The desk's GnuPG home, as its settings name it."""
    settings = desk_settings(data, unit_id)
    return settings.parent / str(read_settings(settings).get("gnupg", "gnupg"))


def unit_ids(data: Path) -> list[str]:
    """The units that have a desk in a data folder, the first one first."""
    return [UNIT_ID, *(unit_id for unit_id in OTHER_IDS if desk_settings(data, unit_id).is_file())]


def is_made(data: Path) -> bool:
    return all(path(data).is_file() for path in (server_settings, courier_settings, desk_settings))


def check_is_made(data: Path) -> None:
    """:raises DataFolderRefused: when there is no data folder of ours."""
    if not is_made(data):
        raise DataFolderRefused(
            f"{data} is no data folder of Candour. `./candour up` makes one; --data names another."
        )


def check_place(data: Path) -> None:
    """:raises DataFolderRefused: when there is something, and it is no data folder of ours."""
    if data.exists() and not is_made(data) and (not data.is_dir() or any(data.iterdir())):
        raise DataFolderRefused(
            f"{data} is not a data folder of Candour, and not empty. Choose another with --data."
        )


def point_couriers_at(data: Path, collection_address: str, socks: str | None = None) -> None:
    """Let the demo's couriers call where the collection listens this time; `socks`: through this proxy."""
    given = {"collection": collection_address, "socks": socks}
    for path in (courier_settings(data, unit_id) for unit_id in unit_ids(data)):
        settings = read_settings(path)
        if any(settings.get(key) != value for key, value in given.items()):
            lines = path.read_text(encoding="utf-8").splitlines()
            kept = [line for line in lines if line.partition("=")[0].strip() not in given]
            told = [f"{key} = {json.dumps(value)}" for key, value in given.items() if value is not None]
            write_whole(path, "\n".join([*told, *kept, ""]).encode())


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep a second start off the same folder while this one lasts.

    :raises DataFolderRefused: when another holds it.
    """
    busy = f"Another Candour is running on {folder}. Stop it, or choose another folder with --data."
    with locked(folder, DataFolderRefused(busy)):
        yield


def is_held(folder: Path) -> bool:
    """Whether a Candour runs on this folder now."""
    try:
        with held(folder):
            return False
    except DataFolderRefused:
        return True


def read_settings(path: Path) -> dict[str, Any]:
    """What a settings file says. Raises DataFolderRefused."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataFolderRefused(
            f"{path} cannot be read, or is not TOML: {error}. Mend it and start again."
        ) from error


def write_settings(path: Path, settings: dict[str, str]) -> None:
    """Write a settings file."""
    # A JSON string of printable characters is a TOML string.
    write_whole(path, "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items()).encode())
