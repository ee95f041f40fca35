"""Making the demo, with real keys made by `keys/`.

Promises: the folder is there whole or not at all. It is built beside its place, under `DIR.new`, and
renamed, so a start that was killed midway begins again. Secrets are made by `keys/` or drawn here from the
system's randomness; every folder is 0700 and every secret file 0600. The demo's keys have no passphrase,
or one that is written in `holders.py`: they are for trying out only.
"""

import os
import secrets
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from common.durable import write_whole
from deploy.data_folder import (
    OTHER_IDS,
    UNIT_ID,
    DataFolderRefused,
    check_place,
    courier_settings,
    desk_settings,
    identity_folder,
    place,
    server_settings,
    write_settings,
)
from deploy.run import gpg_agent
from deploy.workshop.demo import country, holders

if TYPE_CHECKING:
    from common.registry.units import Unit


def make(data: Path, collection_address: str, short: Path, *, months: int = country.MONTHS) -> None:
    """Make the data folder. `short`: a private folder with a short path. Raises DataFolderRefused."""
    from keys.gpg_key import CeremonyFailed
    from keys.registry.signature import UnfitRegistry

    check_place(data)
    fresh = data.with_name(data.name + ".new")
    mask = os.umask(0o077)
    try:
        if fresh.exists():
            _stop_agents(fresh)
            shutil.rmtree(fresh)
        fresh.mkdir(mode=0o700, parents=True)
        _fill_by_a_short_path(fresh, collection_address, short, months)
        fresh.rename(data)
    except (OSError, CeremonyFailed, UnfitRegistry) as error:
        raise DataFolderRefused(
            f"The demo could not be made in {data}: {error}. Mend that (./candour doctor may help) and start again."
        ) from error
    finally:
        os.umask(mask)


def _fill_by_a_short_path(fresh: Path, collection_address: str, short: Path, months: int) -> None:
    alias = short / "new"  # gpg-agent's sockets need one
    alias.symlink_to(fresh)
    try:
        _fill(alias, collection_address, months)
    finally:
        alias.unlink()


def _stop_agents(data: Path) -> None:
    for unit_id in (UNIT_ID, *OTHER_IDS):
        gpg_agent.stop(place(data, unit_id) / "desk" / "gnupg")
        gpg_agent.stop(identity_folder(data, unit_id) / "gnupg")


def _fill(data: Path, collection_address: str, months: int) -> None:
    from common.conversation.derivation import PEPPER_BYTES
    from keys.registry import root, signature

    for name in ("server", "server/blobs", "root", "units"):
        (data / name).mkdir(mode=0o700)
    root_key = data / "root" / "registry-root.key"
    root_public_key = root.new_root(root_key)
    with ThreadPoolExecutor() as pool:  # gpg takes its time, and each has a home of its own
        units = tuple(
            pool.map(lambda unit: _furnish(data, unit, collection_address, months), country.units())
        )
    signed = signature.sign_registry(country.registry(units), root_key)
    desks = [desk_settings(data, unit.id).parent for unit in units]
    for room in (
        data / "server",
        *desks,
        *(identity_folder(data, unit_id) for unit_id in holders.UNITS),
    ):
        write_whole(room / "registry.json", signed)
        write_whole(room / "registry-root.pub", root_public_key.hex().encode() + b"\n")
    write_whole(data / "server" / "pepper", secrets.token_bytes(PEPPER_BYTES))
    write_settings(server_settings(data), _SERVER)


def _furnish(data: Path, unit: "Unit", collection_address: str, months: int) -> "Unit":
    """Make a unit's desk, courier and stick. Returns it with its keys."""
    from common.transport.courier_key import new_courier
    from keys.unit.unit_keys import new_unit

    at = place(data, unit.id)
    for name in ("", "courier", "courier/state", "desk", "stick"):
        (at / name).mkdir(mode=0o700, exist_ok=True)
    short = data.with_name(unit.id.removeprefix("demo-"))  # which gpg-agent's sockets need, here as well
    short.symlink_to(at / "desk")
    try:
        made = new_unit(short, unit.id, unit.name, passphrase=None, months=months)
    finally:
        gpg_agent.stop(short / "gnupg")
        short.unlink()
    if unit.id in holders.UNITS:
        folder = identity_folder(data, unit.id)
        unit = holders.make(folder, unit, data.with_name(f"{unit.id.removeprefix('demo-')}-i"))
        write_settings(folder / "identity.toml", {"unit": unit.id} | holders.SETTINGS)
    enrolled = new_courier(at / "courier" / "courier.key")
    for name in ("sealed", "saved"):
        (at / "desk" / name).mkdir(mode=0o700, exist_ok=True)
    server = os.path.relpath(data / "server", at / "courier")
    write_settings(
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
    write_settings(desk_settings(data, unit.id), {"unit": unit.id} | _DESK)
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
