"""`deliver`: sealed replies, from the stick to the collection.

A bundle is looked through whole before its first reply is posted. What was delivered is remembered until the
bundle is off the stick, so that a reply which its reporter has read and deleted does not come again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from common import bundle, outgoing
from common.bundle import Bundle, BundleRefused
from common.canonical import NotCanonical
from common.units import Unit
from journalist_interface.courier import stick as sticks
from journalist_interface.courier.client import CollectionClient, NoFreeSlot
from journalist_interface.courier.progress import Progress
from journalist_interface.courier.state import State


@dataclass(frozen=True)
class Delivered:
    """What a run did. `left`: sentences on what stays on the stick, and why."""

    replies: int
    bundles: int
    left: tuple[str, ...]


def deliver(client: CollectionClient, state: State, stick: Path, unit: Unit, progress: Progress) -> Delivered:
    """Deliver every reply bundle on the stick. Raises CourierError."""
    sticks.check(stick)
    replies, bundles, left = 0, 0, list[str]()
    for folder in bundle.found(stick, "replies"):
        try:
            carried = _looked_through(folder, unit)
        except BundleRefused as refused:
            left.append(f"{folder.name}: {refused} It stays on the stick; have the desk make it again.")
            continue
        with progress.step(f"Delivering {folder.name}"):
            posted, without_slot = _post(client, state, carried)
        replies += posted
        if without_slot:
            left.append(
                f"{folder.name}: {without_slot} of its replies found no free place. It stays on the stick; "
                "have the desk seal them again."
            )
            continue
        sticks.remove(folder)
        state.forget_bundle(folder.name)
        bundles += 1
    return Delivered(replies, bundles, tuple(left))


def _looked_through(folder: Path, unit: Unit) -> Bundle:
    try:
        carried = bundle.read_manifest(folder, "replies", unit.id, (unit.reply_key,))
    except NotCanonical as error:
        raise BundleRefused("its manifest is damaged") from error
    for _ in _documents(carried, frozenset()):
        pass
    return carried


def _documents(carried: Bundle, without: frozenset[str]) -> Iterator[tuple[str, bytes]]:
    """Each item's name and document, checked. Raises BundleRefused."""
    for item in carried.items:
        if item.name in without:
            continue
        document = bundle.read_item(carried, item, outgoing.MOST_BYTES)
        try:
            outgoing.load(document)
        except NotCanonical as error:
            raise BundleRefused(f"the item {item.name} is not a sealed reply") from error
        yield item.name, document


def _post(client: CollectionClient, state: State, carried: Bundle) -> tuple[int, int]:
    """How many were delivered now, and how many found no slot."""
    name = carried.folder.name
    posted, without_slot = 0, 0
    for item, document in _documents(carried, state.delivered(name)):
        try:
            client.post_reply(document)
        except NoFreeSlot:
            without_slot += 1
            continue
        state.note_delivered(name, item)
        posted += 1
    return posted, without_slot
