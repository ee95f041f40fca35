"""What travels on the stick, both ways: a folder with a signed manifest and the items it names.

    envelopes-<day>-<8 hex>/            from courier to desk, signed with the courier's key
        manifest.json                   {"body": {"kind", "unit", "day", "items": [{"name", "size", "sha256"}],
                                          "delivered": [post], "returned": [{"post", "why"}]}, …}
        <32 hex>                        each item a file beside it

    posts-<day>-<8 hex>/                from desk to courier: posts (common/transport/post.py), each an
                                        item under its own id, signed with the unit's reply key.
                                        Without "delivered" and "returned"
    forwards-<day>-<8 hex>/             likewise: one conversation passed on (common/transport/forwarding.py)

A manifest that does not hold refuses its bundle. Each item is judged by itself: one that is missing, altered, a link or
misnamed is set aside by name, and keeps no other from being taken. Everything on a stick is untrusted until it was
checked here.
"""

import os
import re
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common import canonical, signing
from common.canonical import NotCanonical
from common.contexts import Context
from common.durable import sync_folder, sync_stream
from common.envelope_id import is_envelope_id
from common.transport.bundle_item import Item, ItemRefused, regular_file

MANIFEST = "manifest.json"
MOST_ITEMS = 100_000
_MOST_MANIFEST_BYTES = 32 * 1024 * 1024
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FOLDER = re.compile(r"(envelopes|posts|forwards)-\d{4}-\d{2}-\d{2}-[0-9a-f]{8}")
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
        sync_stream(stream)
    part.rename(bundle.folder / MANIFEST)
    sync_folder(bundle.folder)


def read_manifest(folder: Path, kind: Kind, unit: str, signers: tuple[bytes, ...]) -> Bundle:
    """The bundle in a folder, its manifest signed by one of `signers`, its items not yet looked into.

    Raises BundleRefused.
    """
    try:
        with regular_file(folder / MANIFEST) as stream:
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
