"""What travels on the stick, both ways: a folder with a signed manifest and the items it names.

    envelopes-<day>-<8 hex>/            from courier to desk, signed with the courier's key
        manifest.json                   {"body": {"kind", "unit", "day", "items": [{"name", "size", "sha256"}],
                                          "delivered": [post], "returned": [{"post", "why"}]}, …}
        <32 hex>                        each item a file beside it

    posts-<day>-<8 hex>/                from desk to courier: posts (common/transport/post.py), each an item under its
    own id,
                                        signed with the unit's reply key. Without "delivered" and "returned"
    forwards-<day>-<8 hex>/             likewise: one conversation passed on (common/transport/forwarding.py)

A manifest that does not hold refuses its bundle. Each item is judged by itself: one that is missing, altered, a link or
misnamed is set aside by name, and keeps no other from being taken. Everything on a stick is untrusted until it was
checked here.
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import date
from io import BufferedReader, BufferedWriter
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common import canonical, signing
from common.canonical import NotCanonical
from common.contexts import Context
from common.envelope_id import is_envelope_id
from common.store.blobs import sync_folder

MANIFEST = "manifest.json"
MOST_ITEMS = 100_000
_MOST_MANIFEST_BYTES = 32 * 1024 * 1024
_CHUNK = 1024 * 1024
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FOLDER = re.compile(r"(envelopes|posts|forwards)-\d{4}-\d{2}-\d{2}-[0-9a-f]{8}")
_ALTERED = "it is altered or damaged"
_SHOWN_NAME = 64  # characters of a name that is none

Kind = Literal["envelopes", "posts", "forwards"]
Why = Literal[
    "no-place", "refused"
]  # a post was not taken: no free slot; or not a post of this unit, or too old
_WHYS: tuple[Why, ...] = ("no-place", "refused")


class BundleRefused(Exception):
    """The bundle is refused as a whole, and nothing of it was taken. Ask for it to be made again."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"This bundle is refused: {reason}. Nothing of it was taken.")


class ItemRefused(Exception):
    """One item of a bundle is not what its manifest says. Nothing of it was taken; other items are not affected.

    `name`: the item's, safe to show. `reason`: without a full stop.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"The item {name} was not taken: {reason}.")
        self.name = name
        self.reason = reason


@dataclass(frozen=True)
class Item:
    """A file of a bundle: its name (32 hex digits), its size in bytes, its SHA-256 in hex."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Returned:
    """A post (32 hex digits) that the servers did not take, and why."""

    post: str
    why: Why


@dataclass(frozen=True)
class Bundle:
    """What a manifest says. `folder` is where it lies.

    `delivered`, `returned`: what a courier says of posts. `refused`: entries and files that can be no items.
    """

    folder: Path
    kind: Kind
    unit: str
    day: date
    items: tuple[Item, ...]
    delivered: tuple[str, ...] = ()
    returned: tuple[Returned, ...] = ()
    refused: tuple[ItemRefused, ...] = field(default=(), compare=False)


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
    """The item that a file is. Raises ItemRefused where it is no plain file."""
    with _regular(file) as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return Item(file.name, os.fstat(stream.fileno()).st_size, digest)


def write_manifest(bundle: Bundle, key: Ed25519PrivateKey) -> None:
    """Finish a bundle: sign what is in it. Durable when this returns."""
    body: dict[str, object] = {
        "kind": bundle.kind,
        "unit": bundle.unit,
        "day": bundle.day.isoformat(),
        "items": [{"name": item.name, "size": item.size, "sha256": item.sha256} for item in bundle.items],
    }
    if bundle.kind == "envelopes":
        body["delivered"] = list(bundle.delivered)
        body["returned"] = [{"post": one.post, "why": one.why} for one in bundle.returned]
    part = bundle.folder / f"{MANIFEST}.part"
    with part.open("wb") as stream:
        stream.write(signing.sign(body, Context.BUNDLE, key))
        stream.flush()
        os.fsync(stream.fileno())
    part.rename(bundle.folder / MANIFEST)
    sync_folder(bundle.folder)


def read_manifest(folder: Path, kind: Kind, unit: str, signers: tuple[bytes, ...]) -> Bundle:
    """The bundle in a folder, its manifest signed by one of `signers`, its items not yet looked into.

    Raises BundleRefused.
    """
    try:
        with _regular(folder / MANIFEST) as stream:
            untrusted = stream.read(_MOST_MANIFEST_BYTES + 1)
    except ItemRefused as refused:
        raise BundleRefused(f"of its manifest, {refused.reason}") from refused
    try:
        body = _verified_body(untrusted, signers)
        if canonical.text(body, "kind") != kind:
            raise BundleRefused(f"it does not hold {kind}")
        if canonical.text(body, "unit") != unit:
            raise BundleRefused("it is for another unit")
        day = date.fromisoformat(canonical.text(body, "day"))
        entries = canonical.listed(body, "items")
        delivered, returned = _said(body) if kind == "envelopes" else ((), ())
    except (NotCanonical, ValueError) as error:
        raise BundleRefused("its manifest is damaged") from error
    if len(entries) > MOST_ITEMS:
        raise BundleRefused("it names too many items")
    items, refused_ones = _items(entries)
    named = {MANIFEST, *(item.name for item in items), *(refused.name for refused in refused_ones)}
    strangers = sorted({entry.name for entry in os.scandir(folder)} - named)
    refused_ones += [ItemRefused(_shown(name), "the manifest does not name it") for name in strangers]
    return Bundle(folder, kind, unit, day, items, delivered, returned, tuple(refused_ones))


def _verified_body(untrusted: bytes, signers: tuple[bytes, ...]) -> dict[str, object]:
    for signer in signers:
        try:
            return signing.verify(untrusted, Context.BUNDLE, signer)
        except signing.BadSignature:
            continue
    raise BundleRefused("it is not signed by a key that is known here")


def _said(body: dict[str, object]) -> tuple[tuple[str, ...], tuple[Returned, ...]]:
    """What a courier says of posts. Raises NotCanonical."""
    delivered = tuple(_post_id(entry) for entry in canonical.listed(body, "delivered"))
    return delivered, read_returned(canonical.listed(body, "returned"))


def read_returned(untrusted: list[object]) -> tuple[Returned, ...]:
    """Posts that were not taken, as a list of objects says it. Raises NotCanonical."""
    found = []
    for entry in untrusted:
        if not isinstance(entry, dict):
            raise NotCanonical("not a returned post")
        why = next((one for one in _WHYS if one == canonical.text(entry, "why")), None)
        if why is None:
            raise NotCanonical("returned for an unknown reason")
        found.append(Returned(_post_id(canonical.text(entry, "post")), why))
    return tuple(found)


def _post_id(untrusted: object) -> str:
    if not isinstance(untrusted, str) or not is_envelope_id(untrusted):
        raise NotCanonical("not a post's id")
    return untrusted


def _items(entries: list[object]) -> tuple[tuple[Item, ...], list[ItemRefused]]:
    """Those that can be items, and those that cannot. A name that stands twice says two things, so neither counts."""
    found: dict[str, Item] = {}
    refused, twice = [], set()
    for entry in entries:
        try:
            item = _item(entry)
        except NotCanonical:
            name = entry.get("name") if isinstance(entry, dict) else None
            refused.append(ItemRefused(_shown(name), "the manifest's entry for it is damaged"))
            continue
        if item.name in found:
            twice.add(item.name)
        found[item.name] = item
    refused += [ItemRefused(name, "the manifest names it twice") for name in sorted(twice)]
    return tuple(item for item in found.values() if item.name not in twice), refused


def _item(entry: object) -> Item:
    if not isinstance(entry, dict):
        raise NotCanonical("not an item")
    item = Item(
        canonical.text(entry, "name"), canonical.whole(entry, "size"), canonical.text(entry, "sha256")
    )
    if not is_envelope_id(item.name) or not _SHA256.fullmatch(item.sha256) or item.size < 0:
        raise NotCanonical("not an item")
    return item


def _shown(untrusted_name: object) -> str:
    """A name that is none, as it may be shown: short, and without control characters."""
    if not isinstance(untrusted_name, str):
        return "without a name"
    return "".join(char for char in untrusted_name if char.isprintable())[:_SHOWN_NAME] or "without a name"


def copy_item(bundle: Bundle, item: Item, target: Path) -> None:
    """Copy an item off the stick to a new file, durably, checking it on the way.

    Raises ItemRefused, OSError; the file is gone then. Raises FileExistsError for one that is there.
    """
    with opened_item(bundle, item) as source, target.open("xb") as copy:
        try:
            _copy(source, item, copy)
            copy.flush()
            os.fsync(copy.fileno())
        except BaseException:
            target.unlink()
            raise


def _copy(source: BufferedReader, item: Item, copy: BufferedWriter) -> None:
    digest, size = hashlib.sha256(), 0
    while size <= item.size and (chunk := _read(source, item, _CHUNK)):
        size += len(chunk)
        digest.update(chunk)
        copy.write(chunk)
    if size != item.size or digest.hexdigest() != item.sha256:
        raise ItemRefused(item.name, _ALTERED)


def check_item(bundle: Bundle, item: Item) -> None:
    """See that an item is what the manifest says, whatever its size. Raises ItemRefused."""
    digest, size = hashlib.sha256(), 0
    with opened_item(bundle, item) as source:
        while size <= item.size and (chunk := _read(source, item, _CHUNK)):
            size += len(chunk)
            digest.update(chunk)
    if size != item.size or digest.hexdigest() != item.sha256:
        raise ItemRefused(item.name, _ALTERED)


def opened_item(bundle: Bundle, item: Item) -> AbstractContextManager[BufferedReader]:
    """An item's file, opened but not checked. Raises ItemRefused."""
    return _regular(bundle.folder / item.name)


def read_item(bundle: Bundle, item: Item, most: int) -> bytes:
    """A small item's content, checked. Raises ItemRefused."""
    if item.size > most:
        raise ItemRefused(item.name, "it is too large")
    with opened_item(bundle, item) as source:
        content = _read(source, item, item.size + 1)
    if len(content) != item.size or hashlib.sha256(content).hexdigest() != item.sha256:
        raise ItemRefused(item.name, _ALTERED)
    return content


def _read(source: BufferedReader, item: Item, most: int) -> bytes:
    """A piece of an item. Raises ItemRefused where the stick does not give it."""
    try:
        return source.read(most)
    except OSError as error:
        raise ItemRefused(item.name, f"it cannot be read ({error.strerror})") from error


@contextmanager
def _regular(untrusted_path: Path) -> Iterator[BufferedReader]:
    """A file of the stick, opened: not a link, not a device, not a pipe that would keep us waiting."""
    try:
        descriptor = os.open(untrusted_path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise ItemRefused(untrusted_path.name, "it is missing") from error
    except OSError as error:
        raise ItemRefused(untrusted_path.name, "it cannot be read, or is a link") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ItemRefused(untrusted_path.name, "it is not a plain file")
    with os.fdopen(descriptor, "rb") as stream:
        yield stream
