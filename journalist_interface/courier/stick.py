"""The stick: writing a bundle so that it is there whole or not at all, and finding what an earlier run wrote.

A bundle is built under a name that nobody takes for one, made durable, and put in place by one rename. What was
copied is read back from the device, not from the page cache, before it counts as carried.
"""

import hashlib
import os
import secrets
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from common.days import today
from common.durable import sync_file, sync_folder, sync_stream
from common.transport import bundle, bundle_item
from common.transport.bundle import Bundle, BundleRefused, Returned
from common.transport.bundle_item import Item, ItemRefused
from journalist_interface.courier.errors import NoRoom, NoStick, StickDamaged
from journalist_interface.courier.identity import Identity
from journalist_interface.courier.outcomes import Said

_UNFINISHED = ".partial-envelopes-"
_TAKEN = ".delivered-"
_CHUNK = 1024 * 1024
_AT_ONCE = 4  # files being hashed, or on their way to the disk
_SPARE = 4 * 1024 * 1024  # for the manifest, and for what a file system needs


def check(stick: Path) -> None:
    """The stick is there; what an earlier run left unfinished on it is removed. Raises NoStick."""
    if not stick.is_dir():
        raise NoStick(stick)
    for entry in list(stick.iterdir()):
        if entry.name.startswith((_UNFINISHED, _TAKEN)) and entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)


def check_room(folder: Path, needed: int) -> None:
    """Raises NoRoom when `needed` bytes do not fit."""
    missing = needed + _SPARE - shutil.disk_usage(folder).free
    if missing > 0:
        raise NoRoom(folder, missing)


def write_bundle(
    stick: Path, files: Sequence[Path], said: Sequence[Said], unit: str, identity: Identity
) -> Path:
    """Put files, and what is said of posts, on the stick as one signed bundle, durably. Raises StickDamaged."""
    day = today()
    name = bundle.folder_name("envelopes", day, secrets.token_hex(4))
    folder = stick / f"{_UNFINISHED}{name.removeprefix('envelopes-')}"
    folder.mkdir(mode=0o700)
    try:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            items = tuple(pool.map(_put, files, [folder / file.name for file in files]))
        delivered = tuple(one.post for one in said if one.why is None)
        returned = tuple(Returned(one.post, one.why) for one in said if one.why is not None)
        written = Bundle(folder, "envelopes", unit, day, items, delivered, returned)
        bundle.write_manifest(written, identity.key)
        folder.rename(stick / name)
    except BaseException:  # Ctrl-C as well: nothing unfinished stays
        shutil.rmtree(folder, ignore_errors=True)
        raise
    sync_folder(stick)
    return stick / name


def already_there(stick: Path, unit: str, identity: Identity, wanted: frozenset[str]) -> frozenset[str]:
    """Which of the wanted envelopes lie, intact, in a bundle that this courier wrote before. Durable then."""
    there: set[str] = set()
    for folder in bundle.found(stick, "envelopes"):
        try:
            written = bundle.read_manifest(folder, "envelopes", unit, (identity.public,))
        except BundleRefused:
            continue  # another courier's, or damaged: not ours to judge
        for item in written.items:
            if item.name in wanted - there and _is_intact(folder / item.name, item):
                there.add(item.name)
    sync_folder(stick)
    return frozenset(there)


def remove(folder: Path) -> None:
    """Take a delivered bundle off the stick: out of sight in one step, then away."""
    hidden = folder.with_name(f"{_TAKEN}{folder.name}")
    folder.rename(hidden)
    shutil.rmtree(hidden)
    sync_folder(folder.parent)


def _put(file: Path, target: Path) -> Item:
    """A link where state and stick are one file system; otherwise a copy, compared with what was read."""
    try:
        os.link(file, target)
    except OSError:
        return _copy(file, target)
    sync_file(target)
    return bundle_item.describe(target)


def _copy(file: Path, target: Path) -> Item:
    digest = hashlib.sha256()
    with file.open("rb") as source, target.open("xb") as copy:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            copy.write(chunk)
        sync_stream(copy)
        os.posix_fadvise(copy.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    item = bundle_item.describe(target)
    if item.sha256 != digest.hexdigest():
        raise StickDamaged
    return item


def _is_intact(file: Path, item: Item) -> bool:
    try:
        return bundle_item.describe(file) == item
    except (OSError, ItemRefused):  # gone, or no plain file: a pipe would keep us waiting for ever
        return False
