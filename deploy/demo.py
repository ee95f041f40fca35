"""The demo's data folder: one force, its unit and courier, and a charity's desk, with real keys made by `keys/`.

Promises: the folder is there whole or not at all. It is built beside its place, under `DIR.new`, and
renamed, so a start that was killed midway begins again. Secrets are made by `keys/` or drawn here from the
system's randomness; every folder is 0700 and every secret file 0600. The demo's keys have no passphrase:
they are for trying out only.
"""

import fcntl
import json
import os
import secrets
import shutil
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from deploy import agent
from deploy.errors import DeployError
from deploy.servers import PROJECT

UNIT_ID, UNIT_NAME = "demo-unit", "Demo Anti-Corruption Unit"
CHARITY_ID, CHARITY_NAME = "demo-charity", "Demo Charity’s Desk"
FORCE_ID, FORCE_NAME = "demo-force", "Demo Constabulary"
DEFAULT_DATA = PROJECT / "var"
REGISTRY_DAYS = 365
PEPPER_BYTES = 32


class DataFolderRefused(DeployError):
    """The data folder cannot be used. The message says why and what to do."""


def server_settings(data: Path) -> Path:
    return data / "server" / "server.toml"


def courier_settings(data: Path) -> Path:
    return data / "courier" / "courier.toml"


def desk_settings(data: Path) -> Path:
    return data / "desk" / "desk.toml"


def gnupg_home(data: Path) -> Path:
    """The desk's GnuPG home, as its settings name it."""
    named = str(_read_settings(desk_settings(data)).get("gnupg", "gnupg"))
    return desk_settings(data).parent / named


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
        _stop_agents(alias)
        alias.unlink()


def _stop_agents(data: Path) -> None:
    for room in ("desk", "charity"):
        agent.stop(data / room / "gnupg")


def _fill(data: Path, collection_address: str) -> None:
    from common.courier_key import new_courier
    from common.days import today
    from common.forces import Force, Name, Nation
    from common.registry import Registry
    from common.units import Service, Status, Unit, UnitKind
    from keys import registry, root, unit

    for name in ("server", "server/blobs", "courier", "courier/state", "desk", "charity", "root", "stick"):
        (data / name).mkdir(mode=0o700)
    made = unit.new_unit(data / "desk", UNIT_ID, UNIT_NAME, passphrase=None)
    charity = unit.new_unit(data / "charity", CHARITY_ID, CHARITY_NAME, passphrase=None)
    enrolled = new_courier(data / "courier" / "courier.key")
    root_key = data / "root" / "registry-root.key"
    root_public_key = root.new_root(root_key)
    draft = Registry(
        version=1,
        issued=today(),
        expires=today() + timedelta(days=REGISTRY_DAYS),
        forces=(Force(FORCE_ID, (Name(FORCE_NAME),), Nation.ENGLAND, "Nowhere"),),
        units=(
            Unit(
                id=UNIT_ID,
                name=UNIT_NAME,
                kind=UnitKind.UNIT,
                status=Status.ENROLLED,
                serves=(Service(FORCE_ID),),
                certificate=made.certificate,
                fingerprint=made.fingerprint,
                reply_key=made.reply_public_key,
                couriers={enrolled.key_id: enrolled.public_key},
            ),
            Unit(
                id=CHARITY_ID,
                name=CHARITY_NAME,
                kind=UnitKind.DESK,
                status=Status.ENROLLED,
                serves=(),
                certificate=charity.certificate,
                fingerprint=charity.fingerprint,
                reply_key=charity.reply_public_key,
                couriers={},  # nothing is collected for it yet
            ),
        ),
    )
    signed = registry.sign_registry(draft, root_key)
    for room in ("server", "desk"):
        _write(data / room / "registry.json", signed)
        _write(data / room / "registry-root.pub", root_public_key.hex().encode() + b"\n")
    for name in ("sealed", "saved"):
        (data / "desk" / name).mkdir(mode=0o700, exist_ok=True)
    _write(data / "server" / "pepper", secrets.token_bytes(PEPPER_BYTES))
    _write_settings(server_settings(data), _SERVER)
    _write_settings(
        courier_settings(data), _COURIER | {"collection": collection_address, "key_id": enrolled.key_id}
    )
    _write_settings(desk_settings(data), _DESK)


_SERVER = {
    "registry": "registry.json",
    "registry_root": "registry-root.pub",
    "pepper": "pepper",
    "database": "sqlite:///candour.sqlite",
    "blobs": "blobs",
}
_COURIER = {
    "collection": "",
    "unit": UNIT_ID,
    "key": "courier.key",
    "key_id": "",
    "registry": "../server/registry.json",
    "registry_root": "../server/registry-root.pub",
    "state": "state",
}
_DESK = {
    "unit": UNIT_ID,
    "gnupg": "gnupg",
    "database": "desk.sqlite",
    "sealed": "sealed",
    "saved": "saved",
    "reply_key": "reply.key.gpg",
    "registry": "registry.json",
    "registry_root": "registry-root.pub",
    "stick": "../stick",
}


def point_courier_at(data: Path, collection_address: str, socks: str | None = None) -> None:
    """Let the demo's courier call where the collection listens this time; `socks`: through this proxy."""
    path = courier_settings(data)
    given = {"collection": collection_address, "socks": socks}
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
