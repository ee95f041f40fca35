"""What travels on the stick, both ways: a folder with a signed manifest and the items it names.

    envelopes-<day>-<8 hex>/            from courier to desk, signed with the courier's key
        manifest.json                   {"body": {"kind", "unit", "day", "items": [{"name", "size", "sha256"}]}, …}
        <32 hex>                        each item a file beside it

    replies-<day>-<8 hex>/              from desk to courier: sealed answers, signed with the unit's reply key
    forwards-<day>-<8 hex>/             likewise: one conversation passed on (common/forwarding.py)

A bundle is taken whole or refused with the reason: an item that is missing, added, altered, a link, or has a
name that is none. Everything on a stick is untrusted until `verified` has said otherwise.
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import date
from io import BufferedReader
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common import canonical, signing
from common.canonical import NotCanonical
from common.store.blobs import is_blob_id, sync_folder

MANIFEST = "manifest.json"
MOST_ITEMS = 100_000
_MOST_MANIFEST_BYTES = 32 * 1024 * 1024
_CONTEXT = "candour/1 bundle"
_CHUNK = 1024 * 1024
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FOLDER = re.compile(r"(envelopes|replies|forwards)-\d{4}-\d{2}-\d{2}-[0-9a-f]{8}")

Kind = Literal["envelopes", "replies", "forwards"]


class BundleRefused(Exception):
    """The bundle is refused as a whole, and nothing of it was taken. Ask for it to be made again."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"This bundle is refused: {reason}. Nothing of it was taken.")


@dataclass(frozen=True)
class Item:
    """A file of a bundle: its name (32 hex digits), its size in bytes, its SHA-256 in hex."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Bundle:
    """What a manifest says. `folder` is where it lies."""

    folder: Path
    kind: Kind
    unit: str
    day: date
    items: tuple[Item, ...]


def folder_name(kind: Kind, day: date, token: str) -> str:
    """What a bundle's folder is called; `token`: 8 hex digits that keep two of a day apart."""
    return f"{kind}-{day.isoformat()}-{token}"


def found(stick: Path, kind: Kind) -> list[Path]:
    """The folders on a stick that look like finished bundles of a kind, by name."""
    if not stick.is_dir():
        return []
    return sorted(
        entry
        for entry in stick.iterdir()
        if _FOLDER.fullmatch(entry.name)
        and entry.name.startswith(kind)
        and entry.is_dir()
        and not entry.is_symlink()
    )


def describe(file: Path) -> Item:
    """The item that a file is. Raises BundleRefused where it is no plain file."""
    with _regular(file) as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return Item(file.name, os.fstat(stream.fileno()).st_size, digest)


def write_manifest(bundle: Bundle, key: Ed25519PrivateKey) -> None:
    """Finish a bundle: sign what is in it. Durable when this returns."""
    body = {
        "kind": bundle.kind,
        "unit": bundle.unit,
        "day": bundle.day.isoformat(),
        "items": [{"name": item.name, "size": item.size, "sha256": item.sha256} for item in bundle.items],
    }
    part = bundle.folder / f"{MANIFEST}.part"
    with part.open("wb") as stream:
        stream.write(signing.sign(body, _CONTEXT, key))
        stream.flush()
        os.fsync(stream.fileno())
    part.rename(bundle.folder / MANIFEST)
    sync_folder(bundle.folder)


def read_manifest(folder: Path, kind: Kind, unit: str, signers: tuple[bytes, ...]) -> Bundle:
    """The bundle in a folder, its manifest signed by one of `signers`, its files not yet looked into.

    Raises BundleRefused.
    """
    try:
        with _regular(folder / MANIFEST) as stream:
            untrusted = stream.read(_MOST_MANIFEST_BYTES + 1)
        body = _verified_body(untrusted, signers)
        bundle = Bundle(
            folder=folder,
            kind=kind,
            unit=canonical.text(body, "unit"),
            day=date.fromisoformat(canonical.text(body, "day")),
            items=tuple(_item(entry) for entry in canonical.listed(body, "items")),
        )
        said_kind = canonical.text(body, "kind")
    except (NotCanonical, ValueError) as error:
        raise BundleRefused("its manifest is damaged") from error
    if said_kind != kind:
        raise BundleRefused(f"it does not hold {kind}")
    if bundle.unit != unit:
        raise BundleRefused("it is for another unit")
    _check_names(bundle)
    return bundle


def _verified_body(untrusted: bytes, signers: tuple[bytes, ...]) -> dict[str, object]:
    for signer in signers:
        try:
            return signing.verify(untrusted, _CONTEXT, signer)
        except signing.BadSignature:
            continue
    raise BundleRefused("it is not signed by a key that is known here")


def _item(entry: object) -> Item:
    if not isinstance(entry, dict):
        raise NotCanonical("not an item")
    item = Item(
        canonical.text(entry, "name"), canonical.whole(entry, "size"), canonical.text(entry, "sha256")
    )
    if not is_blob_id(item.name) or not _SHA256.fullmatch(item.sha256):
        raise NotCanonical("not an item")
    return item


def _check_names(bundle: Bundle) -> None:
    named = {item.name for item in bundle.items}
    if len(named) != len(bundle.items) or len(named) > MOST_ITEMS:
        raise BundleRefused("it names an item twice, or too many")
    there = {entry.name for entry in os.scandir(bundle.folder)} - {MANIFEST}
    if missing := sorted(named - there):
        raise BundleRefused(f"the item {missing[0]} is missing")
    if there - named:
        raise BundleRefused("it holds a file that its manifest does not name")


def copy_item(bundle: Bundle, item: Item, target: Path) -> None:
    """Copy an item off the stick, durably, checking it on the way. Raises BundleRefused."""
    digest, size = hashlib.sha256(), 0
    with _regular(bundle.folder / item.name) as source, target.open("xb") as copy:
        while chunk := source.read(_CHUNK):
            size += len(chunk)
            if size > item.size:
                break
            digest.update(chunk)
            copy.write(chunk)
        copy.flush()
        os.fsync(copy.fileno())
    if size != item.size or digest.hexdigest() != item.sha256:
        raise BundleRefused(f"the item {item.name} is altered or damaged")


def check_item(bundle: Bundle, item: Item) -> None:
    """See that an item is what the manifest says, whatever its size. Raises BundleRefused."""
    digest, size = hashlib.sha256(), 0
    with _regular(bundle.folder / item.name) as source:
        while chunk := source.read(_CHUNK):
            size += len(chunk)
            digest.update(chunk)
    if size != item.size or digest.hexdigest() != item.sha256:
        raise BundleRefused(f"the item {item.name} is altered or damaged")


def opened_item(bundle: Bundle, item: Item) -> AbstractContextManager[BufferedReader]:
    """An item's file, opened but not checked. Raises BundleRefused."""
    return _regular(bundle.folder / item.name)


def read_item(bundle: Bundle, item: Item, most: int) -> bytes:
    """A small item's content, checked. Raises BundleRefused."""
    if item.size > most:
        raise BundleRefused(f"the item {item.name} is too large")
    with _regular(bundle.folder / item.name) as source:
        content = source.read(item.size + 1)
    if len(content) != item.size or hashlib.sha256(content).hexdigest() != item.sha256:
        raise BundleRefused(f"the item {item.name} is altered or damaged")
    return content


@contextmanager
def _regular(untrusted_path: Path) -> Iterator[BufferedReader]:
    """A file of the stick, opened: not a link, not a device, not a pipe that would keep us waiting."""
    try:
        descriptor = os.open(untrusted_path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise BundleRefused(f"{untrusted_path.name} cannot be read, or is a link") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise BundleRefused(f"{untrusted_path.name} is not a plain file")
    with os.fdopen(descriptor, "rb") as stream:
        yield stream
