"""`deliver`: sealed replies, and conversations that are passed on, from the stick to the collection.

A bundle is looked through whole before its first reply is posted. What was delivered is remembered until the
bundle is off the stick, so that a reply which its reporter has read and deleted does not come again. Of a conversation
that is passed on, the handover goes last: the next holder has it all before the reporter hears of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from common import bundle, forwarding, outgoing
from common.bundle import Bundle, BundleRefused
from common.canonical import NotCanonical
from common.forwarding import Forward, Slip
from common.signing import BadSignature
from common.units import Unit
from journalist_interface.courier import stick as sticks
from journalist_interface.courier.client import CollectionClient, NoFreeSlot, NotForwarded
from journalist_interface.courier.progress import Progress
from journalist_interface.courier.state import State


@dataclass(frozen=True)
class Delivered:
    """What a run did. `left`: sentences on what stays on the stick, and why."""

    replies: int
    bundles: int
    left: tuple[str, ...]
    forwards: int = 0  # conversations passed on


def deliver(client: CollectionClient, state: State, stick: Path, unit: Unit, progress: Progress) -> Delivered:
    """Deliver every bundle of replies and of forwards on the stick. Raises CourierError."""
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
    forwards = 0
    for folder in bundle.found(stick, "forwards"):
        try:
            with progress.step(f"Delivering {folder.name}"):
                _pass_on(client, state, folder, unit, progress)
        except BundleRefused as refused:
            left.append(f"{folder.name}: {refused} It stays on the stick; have the desk make it again.")
        except NotForwarded as refused:
            left.append(f"{folder.name}: {refused} It stays on the stick.")
        except NoFreeSlot:
            left.append(
                f"{folder.name}: what tells its reporter found no free place. It stays on the stick; have the desk "
                "export it again."
            )
        else:
            sticks.remove(folder)
            state.forget_bundle(folder.name)
            forwards += 1
    return Delivered(replies, bundles, tuple(left), forwards)


def _pass_on(client: CollectionClient, state: State, folder: Path, unit: Unit, progress: Progress) -> None:
    """Post the envelopes of a bundle of forwards, then its handover. Raises BundleRefused, NotForwarded, NoFreeSlot."""
    carried = bundle.read_manifest(folder, "forwards", unit.id, (unit.reply_key,))
    if not carried.items:
        raise BundleRefused("it is empty")
    first, *envelopes = carried.items
    document = bundle.read_item(carried, first, forwarding.MOST_BYTES)
    try:
        forward = forwarding.load(document)
        slips = {slip.id: (slip, signed) for slip, signed in _slips(forward, unit)}
    except (NotCanonical, BadSignature) as error:
        raise BundleRefused(f"the item {first.name} is not a report passed on") from error
    if {item.name for item in envelopes} != set(slips):
        raise BundleRefused("its envelopes are not those that it names")
    for item in envelopes:
        slip, _ = slips[item.name]
        bundle.check_item(carried, item)
        if (item.size, item.sha256) != (slip.size, slip.sha256):
            raise BundleRefused(f"the item {item.name} is altered or damaged")
    done = state.delivered(folder.name)
    for item in envelopes:
        if item.name in done:
            continue
        with bundle.opened_item(carried, item) as file, progress.bar("Posting", item.size) as bar:
            client.post_forward(slips[item.name][1], item.name, file, bar.within)
        state.note_delivered(folder.name, item.name)
    if first.name not in done:
        client.post_reply(outgoing.dump(forward.handover))
        state.note_delivered(folder.name, first.name)


def _slips(forward: Forward, unit: Unit) -> Iterator[tuple[Slip, bytes]]:
    for signed in forward.slips:
        yield forwarding.read_slip(signed, unit.reply_key), signed


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
