"""`candour restore`: a backup put in place on a clean machine, whole or not at all.

Everything is made in fresh folders beside its place and checked there: names, kinds, sizes, every hash, every row. Only
then do renames put it in place, the settings last. What is refused leaves nothing. A place where something is already
is never overwritten.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from common.config import BadConfiguration, ServerConfig
from common.durable import sync_folder
from common.gpg.opening import Opener, OpeningFailed, Unopened
from common.registry.registry import RegistryRefused
from deploy.backup.archive import MANIFEST, Reader, check_manifest
from deploy.backup.errors import RestoreRefused
from deploy.backup.layout import (
    HOSTNAME,
    PUBLIC_KEY,
    SECRET_KEY,
    SERVICES,
    SETTINGS_FILES,
    Layout,
    OtherPlaces,
)
from deploy.backup.onion import address_of
from deploy.backup.ownership import give_owners
from deploy.backup.unpack import Unpacking


@dataclass(frozen=True)
class Restored:
    """What was put in place, for the operator to compare with what they know."""

    sha256: str
    day: str
    envelopes: int
    registry_root: str
    registry: str  # the day on which it ends, or why it is refused
    addresses: tuple[tuple[str, str], ...]


def restore(layout: Layout, file: Path, gnupg: Path) -> Restored:
    """Open a backup with the keys in the GnuPG home `gnupg`, and put it in place. Raises RestoreRefused."""
    _check_empty(layout)
    fresh = layout.in_the_making()
    try:
        sha256 = _hash_of(file)
        with ExitStack() as clearing:
            for folder in fresh.folders:
                _remove(folder)
                clearing.callback(_remove, folder)
                folder.mkdir(mode=0o700, parents=True)
            unpacking = Unpacking(fresh)
            clearing.callback(unpacking.close)
            _unpack(file, gnupg, unpacking, shutil.disk_usage(fresh.folders[0]).free)
            config = _checked(fresh, layout)
            addresses = tuple(_addresses(fresh))
            _put_in_place(layout, fresh)
    except OSError as error:
        raise RestoreRefused(f"The backup was not restored: {error}. Mend that and try again.") from error
    return Restored(
        sha256=sha256,
        day=unpacking.day,
        envelopes=unpacking.envelopes,
        registry_root=config.registry_root.hex(),
        registry=_registry(config, layout),
        addresses=addresses,
    )


def _check_empty(layout: Layout) -> None:
    for folder in layout.folders:
        found = next((path for path in sorted(folder.rglob("*")) if not path.is_dir()), None)
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()) or found is not None:
            raise RestoreRefused(
                f"There is something already: {found or folder}. Nothing is ever overwritten. Restore on a clean "
                "machine, before deploy/install; or move these away first: "
                + ", ".join(str(path) for path in layout.folders)
            )


def _hash_of(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _unpack(file: Path, gnupg: Path, unpacking: Unpacking, most: int) -> None:
    reader = Reader(unpacking.begin)
    try:
        Opener(gnupg).open(file, reader.feed, most, ask=True)
    except OpeningFailed as error:
        unlock = f" Where the key has a passphrase, unlock it first: gpg --decrypt {file} >/dev/null"
        raise RestoreRefused(
            f"{file} does not open. {error}{unlock if error.reason is not Unopened.NOT_SEALED else ''}"
        ) from error
    if not reader.ended or MANIFEST not in reader.members:
        raise RestoreRefused(f"{file} was cut short. Nothing was put in place. Use another copy of it.")
    check_manifest(unpacking.manifest, reader.members)
    unpacking.finish()


def _checked(fresh: Layout, layout: Layout) -> ServerConfig:
    missing = [name for name in SETTINGS_FILES if not (fresh.settings / name).is_file()]
    if fresh.onions is not None:
        keys = (HOSTNAME, PUBLIC_KEY, SECRET_KEY)
        missing += [
            f"{service}/{key}"
            for service in SERVICES
            for key in keys
            if not (fresh.onions / service / key).is_file()
        ]
    if missing:
        raise RestoreRefused(f"This backup lacks {', '.join(missing)}. Use another.")
    try:
        return fresh.read_config(layout)
    except (BadConfiguration, OtherPlaces) as error:
        raise RestoreRefused(f"The settings in this backup cannot be used. {error}") from error


def _addresses(fresh: Layout) -> Iterator[tuple[str, str]]:
    if fresh.onions is None:
        return
    for service in SERVICES:
        folder = fresh.onions / service
        try:
            address = address_of((folder / PUBLIC_KEY).read_bytes())
        except ValueError:
            address = ""
        if address != (folder / HOSTNAME).read_text("ascii", "replace").strip():
            raise RestoreRefused(f"The {service} onion's name is not that of its key. Use another backup.")
        yield service, address


def _registry(config: ServerConfig, layout: Layout) -> str:
    try:
        return f"good until {layout.read_config().load_registry().expires}"
    except RegistryRefused as error:
        return str(error)


def _put_in_place(layout: Layout, fresh: Layout) -> None:
    if layout.kind == "host":
        give_owners(layout, fresh)
    for place, made in zip(layout.folders, fresh.folders, strict=True):
        for folder, folders, _ in os.walk(place, topdown=False):
            for name in folders:
                Path(folder, name).rmdir()
        if place.exists():
            place.rmdir()
        made.rename(place)
        sync_folder(place.parent)


def _remove(folder: Path) -> None:
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder)
