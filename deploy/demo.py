"""The demo's data folder: a few forces, their units, a charity's desk and an overseer, with real keys made by `keys/`.

Each has a desk, a courier and a stick of its own: those of the first unit in DIR, of the others in DIR/units/ID.

Promises: the folder is there whole or not at all. It is built beside its place, under `DIR.new`, and
renamed, so a start that was killed midway begins again. Secrets are made by `keys/` or drawn here from the
system's randomness; every folder is 0700 and every secret file 0600. The demo's keys have no passphrase,
or one that is written here: they are for trying out only.
"""

import fcntl
import json
import os
import secrets
import shutil
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy import agent, demo_holders
from deploy.errors import DeployError
from deploy.servers import PROJECT

if TYPE_CHECKING:
    from common.registry import Registry
    from common.units import Unit

UNIT_ID, UNIT_NAME = "demo-unit", "Demo Anti-Corruption Unit"
SHARED_ID, SHARED_NAME = "demo-shared", "Northmarch and Southmarch Anti-Corruption Unit"
CHARITY_ID, CHARITY_NAME = "demo-charity", "Demo Charity’s Desk"
OVERSEER_ID, OVERSEER_NAME = "demo-overseer", "Demo Oversight Body"
OTHER_IDS = (SHARED_ID, CHARITY_ID, OVERSEER_ID)
FORCE_ID, FORCE_NAME = "demo-force", "Demo Constabulary"
DEFAULT_DATA = PROJECT / "var"
REGISTRY_DAYS = 365
PEPPER_BYTES = 32


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
    return settings.parent / str(_read_settings(settings).get("gnupg", "gnupg"))


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


def make(data: Path, collection_address: str, short: Path) -> None:
    """Make the data folder. `short`: a private folder with a short path. Raises DataFolderRefused."""
    from keys.making import CeremonyFailed
    from keys.registry import UnfitRegistry

    check_place(data)
    fresh = data.with_name(data.name + ".new")
    mask = os.umask(0o077)
    try:
        if fresh.exists():
            _stop_agents(fresh)
            shutil.rmtree(fresh)
        fresh.mkdir(mode=0o700, parents=True)
        _fill_by_a_short_path(fresh, collection_address, short)
        fresh.rename(data)
    except (OSError, CeremonyFailed, UnfitRegistry) as error:
        raise DataFolderRefused(
            f"The demo could not be made in {data}: {error}. Mend that (./candour doctor may help) and start again."
        ) from error
    finally:
        os.umask(mask)


def _fill_by_a_short_path(fresh: Path, collection_address: str, short: Path) -> None:
    alias = short / "new"  # gpg-agent's sockets need one
    alias.symlink_to(fresh)
    try:
        _fill(alias, collection_address)
    finally:
        alias.unlink()


def _stop_agents(data: Path) -> None:
    for unit_id in (UNIT_ID, *OTHER_IDS):
        agent.stop(place(data, unit_id) / "desk" / "gnupg")
        agent.stop(identity_folder(data, unit_id) / "gnupg")


def _fill(data: Path, collection_address: str) -> None:
    from keys import registry, root

    for name in ("server", "server/blobs", "root", "units"):
        (data / name).mkdir(mode=0o700)
    root_key = data / "root" / "registry-root.key"
    root_public_key = root.new_root(root_key)
    with ThreadPoolExecutor() as pool:  # gpg takes its time, and each has a home of its own
        units = tuple(pool.map(lambda unit: _furnish(data, unit, collection_address), _units()))
    signed = registry.sign_registry(_registry(units), root_key)
    desks = [desk_settings(data, unit.id).parent for unit in units]
    for room in (
        data / "server",
        *desks,
        *(identity_folder(data, unit_id) for unit_id in demo_holders.UNITS),
    ):
        _write(room / "registry.json", signed)
        _write(room / "registry-root.pub", root_public_key.hex().encode() + b"\n")
    _write(data / "server" / "pepper", secrets.token_bytes(PEPPER_BYTES))
    _write_settings(server_settings(data), _SERVER)


def _units() -> "tuple[Unit, ...]":
    """Who is in the demo, without keys: enough to see each way that a report can go."""
    from common.units import Service, Status, Unit, UnitKind

    def unit(unit_id: str, name: str, kind: UnitKind, *forces: str) -> Unit:
        serves = tuple(map(Service, forces))
        return Unit(unit_id, name, kind, Status.ENROLLED, serves, "", "", b"", {})

    first = unit(UNIT_ID, UNIT_NAME, UnitKind.UNIT, FORCE_ID)
    shared = unit(SHARED_ID, SHARED_NAME, UnitKind.UNIT, "demo-north", "demo-south")
    return (
        replace(first, conflict_route=OVERSEER_ID),
        replace(shared, conflict_route=OVERSEER_ID, second_seal=OVERSEER_ID),
        unit(CHARITY_ID, CHARITY_NAME, UnitKind.DESK),
        unit(OVERSEER_ID, OVERSEER_NAME, UnitKind.OVERSEER),
    )


def _registry(units: "tuple[Unit, ...]") -> "Registry":
    from common.days import today
    from common.forces import Force, Name, Nation, Oversight
    from common.registry import Registry

    by = (Oversight(OVERSEER_ID),)
    return Registry(
        version=1,
        issued=today(),
        expires=today() + timedelta(days=REGISTRY_DAYS),
        forces=(
            Force(FORCE_ID, (Name(FORCE_NAME),), Nation.ENGLAND, "Nowhere", oversight=by),
            Force("demo-north", (Name("Northmarch Police"),), Nation.ENGLAND, "The Marches", oversight=by),
            Force("demo-south", (Name("Southmarch Police"),), Nation.WALES, "Wales", oversight=by),
            Force("demo-far", (Name("Farshore Police"),), Nation.SCOTLAND, "Scotland"),  # has no unit
        ),
        units=units,
    )


def _furnish(data: Path, unit: "Unit", collection_address: str) -> "Unit":
    """Make a unit's desk, courier and stick. Returns it with its keys."""
    from common.courier_key import new_courier
    from keys.unit import new_unit

    at = place(data, unit.id)
    for name in ("", "courier", "courier/state", "desk", "stick"):
        (at / name).mkdir(mode=0o700, exist_ok=True)
    short = data.with_name(unit.id.removeprefix("demo-"))  # which gpg-agent's sockets need, here as well
    short.symlink_to(at / "desk")
    try:
        made = new_unit(short, unit.id, unit.name, passphrase=None)
    finally:
        agent.stop(short / "gnupg")
        short.unlink()
    if unit.id in demo_holders.UNITS:
        folder = identity_folder(data, unit.id)
        unit = demo_holders.make(folder, unit, data.with_name(f"{unit.id.removeprefix('demo-')}-i"))
        _write_settings(folder / "identity.toml", {"unit": unit.id} | demo_holders.SETTINGS)
    enrolled = new_courier(at / "courier" / "courier.key")
    for name in ("sealed", "saved"):
        (at / "desk" / name).mkdir(mode=0o700, exist_ok=True)
    server = os.path.relpath(data / "server", at / "courier")
    _write_settings(
        courier_settings(data, unit.id),
        {
            "collection": collection_address,
            "unit": unit.id,
            "key": "courier.key",
            "key_id": enrolled.key_id,
            "registry": f"{server}/registry.json",
            "registry_root": f"{server}/registry-root.pub",
            "state": "state",
        },
    )
    _write_settings(desk_settings(data, unit.id), {"unit": unit.id} | _DESK)
    return replace(
        unit,
        certificate=made.certificate,
        fingerprint=made.fingerprint,
        reply_key=made.reply_public_key,
        couriers={enrolled.key_id: enrolled.public_key},
    )


_SERVER = {
    "registry": "registry.json",
    "registry_root": "registry-root.pub",
    "pepper": "pepper",
    "database": "sqlite:///candour.sqlite",
    "blobs": "blobs",
}
_DESK = {
    "gnupg": "gnupg",
    "database": "desk.sqlite",
    "sealed": "sealed",
    "saved": "saved",
    "reply_key": "reply.key.gpg",
    "registry": "registry.json",
    "registry_root": "registry-root.pub",
    "stick": "../stick",
}


def point_couriers_at(data: Path, collection_address: str, socks: str | None = None) -> None:
    """Let the demo's couriers call where the collection listens this time; `socks`: through this proxy."""
    given = {"collection": collection_address, "socks": socks}
    for path in (courier_settings(data, unit_id) for unit_id in unit_ids(data)):
        settings = _read_settings(path)
        if any(settings.get(key) != value for key, value in given.items()):
            lines = path.read_text(encoding="utf-8").splitlines()
            kept = [line for line in lines if line.partition("=")[0].strip() not in given]
            told = [f"{key} = {json.dumps(value)}" for key, value in given.items() if value is not None]
            _write(path, "\n".join([*told, *kept, ""]).encode())


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep a second start off the same folder while this one lasts.

    :raises DataFolderRefused: when another holds it.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataFolderRefused(
                f"Another Candour is running on {folder}. Stop it, or choose another folder with --data."
            ) from error
        yield
    finally:
        os.close(descriptor)


def _read_settings(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataFolderRefused(
            f"{path} cannot be read, or is not TOML: {error}. Mend it and start again."
        ) from error


def _write_settings(path: Path, settings: dict[str, str]) -> None:
    # A JSON string of printable characters is a TOML string.
    _write(path, "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items()).encode())


def _write(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)
